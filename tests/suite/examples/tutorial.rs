//! The first programs of the tutorial. `tests/suite/tutorial` runs the others.

use super::*;

/// Function that starts a program of the original tutorial, in Rust or in Python.
type Start = fn(&str, &[String]) -> Program;

fn start_rust(name: &str, arguments: &[String]) -> Program {
    Program::example(name, arguments)
}

/// Starts Python with buffered output, because the script itself must print each line at once.
fn start_python(name: &str, arguments: &[String]) -> Program {
    let mut command = Command::new("python3");
    let script = format!("examples/python/{name}.py");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env_remove("PYTHONUNBUFFERED");
    command.args(["-B", "-S"]).arg(script).args(arguments);
    Program::start(command)
}

/// Starts a server that must print `waiting connection...` before any client connects.
fn start_waiting_server(start: Start, name: &str) -> (Program, Vec<String>) {
    let mut server = start(name, &["127.0.0.1:0".into()]);
    let address = server.address_on_stderr();
    assert_eq!(server.line(), "waiting connection...");
    (server, vec![address.to_string()])
}

/// Compares standard output byte for byte, and asserts that standard error is empty.
fn check_original_transcripts(start: Start) {
    let answer = "Clinet recive data: [i am binary] <ctime>\n";

    let (server, address) = start_waiting_server(start, "binary_tcp_server_v1");
    let mut client = start("binary_tcp_client_v1", &address);
    client.type_in("i am binary\n");
    let client = client.finish();
    assert_eq!(hide_ctime(client.success()), format!(">>:{answer}"));
    assert_eq!(
        server.finish().success(),
        "waiting connection...\nServer recive data: b'i am binary'\n"
    );

    let (mut server, address) = start_waiting_server(start, "binary_tcp_server_v2");
    let served = "Server recive data: b'i am binary'
clinet has broken the connection...
waiting connection...
";
    for _ in 0..2 {
        let mut client = start("binary_tcp_client_v2", &address);
        client.type_in("i am binary\n");
        let client = client.finish();
        assert_eq!(hide_ctime(client.success()), format!(">>:{answer}>>:"));
        server.expect(served);
    }
    server.signal(Signal::SIGINT);
    assert_eq!(
        server.finish().success(),
        format!("waiting connection...\n{served}{served}")
    );
}

#[test]
fn binary_tcp_programs_print_the_original_transcripts() {
    check_original_transcripts(start_rust);
}

#[test]
fn python_binary_tcp_programs_print_the_original_transcripts() {
    if python_is_there() {
        check_original_transcripts(start_python);
    }
}

#[test]
fn binary_tcp_v1_serves_one_client_and_ends() {
    let (server, address) = serve("binary_tcp_server_v1");
    let answer = run("binary_tcp_client_v1", address, &[], b"hello\n");
    assert_eq!(answer, ">>:Clinet recive data: [hello] <ctime>\n");
    assert_eq!(
        server.finish().success(),
        "waiting connection...\nServer recive data: b'hello'\n"
    );
}

#[test]
fn binary_tcp_v1_sends_its_input_and_prints_it_as_in_python() {
    let (server, address) = serve("binary_tcp_server_v1");
    let answer = run("binary_tcp_client_v1", address, &[], b"it's \"\t\\\xff\n");
    assert_eq!(
        answer,
        ">>:Clinet recive data: [it's \"\t\\\u{fffd}] <ctime>\n"
    );
    assert_eq!(
        server.finish().success(),
        "waiting connection...\nServer recive data: b'it\\'s \"\\t\\\\\\xff'\n"
    );
}

#[test]
fn binary_tcp_v1_does_not_hang_on_an_empty_line() {
    for input in ["\n", ""] {
        let (server, address) = serve("binary_tcp_server_v1");
        let answer = run("binary_tcp_client_v1", address, &[], input.as_bytes());
        assert_eq!(answer, ">>:Clinet recive data: [] <ctime>\n");
        assert_eq!(
            server.finish().success(),
            "waiting connection...\nServer recive data: b''\n"
        );
    }
}

#[test]
fn binary_tcp_v2_serves_one_client_after_the_other_until_ctrl_c() {
    let (mut server, address) = serve("binary_tcp_server_v2");
    let first = run("binary_tcp_client_v2", address, &[], b"hello\nagain\n\n");
    assert_eq!(
        first,
        ">>:Clinet recive data: [hello] <ctime>\n>>:Clinet recive data: [again] <ctime>\n>>:"
    );
    // The end of the input ends a client too, and so does an empty first line.
    let second = run("binary_tcp_client_v2", address, &[], b"it's me\n");
    assert_eq!(second, ">>:Clinet recive data: [it's me] <ctime>\n>>:");
    let third = run("binary_tcp_client_v2", address, &[], b"\n");
    assert_eq!(third, ">>:");

    let transcript = "\
waiting connection...
Server recive data: b'hello'
Server recive data: b'again'
clinet has broken the connection...
waiting connection...
Server recive data: b\"it's me\"
clinet has broken the connection...
waiting connection...
clinet has broken the connection...
waiting connection...
";
    server.expect(transcript);
    server.signal(Signal::SIGINT);
    assert_eq!(server.finish().success(), transcript);
}

#[test]
fn binary_tcp_v2_lets_a_second_client_wait_for_the_first() {
    let (mut server, address) = serve("binary_tcp_server_v2");
    let mut first = call("binary_tcp_client_v2", address, &[]);
    first.expect(">>:");
    first.type_in("one\n");
    assert_eq!(
        hide_ctime(&first.line()),
        "Clinet recive data: [one] <ctime>"
    );

    let mut second = call("binary_tcp_client_v2", address, &[]);
    second.expect(">>:");
    second.type_in("two\n");
    first.expect(">>:");
    first.type_in("three\n");
    assert_eq!(
        hide_ctime(&first.line()),
        "Clinet recive data: [three] <ctime>"
    );
    first.finish().success();
    assert_eq!(
        hide_ctime(&second.line()),
        "Clinet recive data: [two] <ctime>"
    );
    second.finish().success();

    server.expect(
        "\
waiting connection...
Server recive data: b'one'
Server recive data: b'three'
clinet has broken the connection...
waiting connection...
Server recive data: b'two'
clinet has broken the connection...
waiting connection...
",
    );
}

#[test]
fn binary_tcp_v2_does_not_wait_for_clients_after_ctrl_c() {
    let (mut server, address) = serve("binary_tcp_server_v2");
    let mut client = call("binary_tcp_client_v2", address, &[]);
    client.expect(">>:");
    client.type_in("hello\n");
    assert_eq!(
        hide_ctime(&client.line()),
        "Clinet recive data: [hello] <ctime>"
    );

    let transcript = "waiting connection...\nServer recive data: b'hello'\n";
    server.expect(transcript);
    server.signal(Signal::SIGINT);
    assert_eq!(server.finish().success(), transcript);
    client.type_in("are you there?\n");
    let client = client.finish();
    assert_eq!(client.status.code(), Some(1));
    assert!(
        client.stderr.starts_with("Error: "),
        "no error about the lost server: {:?}",
        client.stderr
    );
}
