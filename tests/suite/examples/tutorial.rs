//! The first programs of the tutorial (tests/tutorial.rs runs the others).

use super::*;

#[test]
fn binary_tcp_v1_serves_one_client_and_ends() {
    let (server, address) = serve("binary_tcp_server_v1");
    let answer = run("binary_tcp_client_v1", address, &[], b"hello\n");
    assert_eq!(answer, ">>:[hello] <ctime>\n");
    assert_eq!(
        server.finish().success(),
        format!("listening on {address}\nServer recive data: b'hello'\n")
    );
}

#[test]
fn binary_tcp_v1_sends_what_was_typed_and_prints_it_as_python_does() {
    let (server, address) = serve("binary_tcp_server_v1");
    let answer = run("binary_tcp_client_v1", address, &[], b"it's \"\t\\\xff\n");
    assert_eq!(answer, ">>:[it's \"\t\\\u{fffd}] <ctime>\n");
    assert_eq!(
        server.finish().success(),
        format!("listening on {address}\nServer recive data: b'it\\'s \"\\t\\\\\\xff'\n")
    );
}

#[test]
fn binary_tcp_v1_does_not_hang_on_an_empty_line() {
    for input in ["\n", ""] {
        let (server, address) = serve("binary_tcp_server_v1");
        let answer = run("binary_tcp_client_v1", address, &[], input.as_bytes());
        assert_eq!(answer, ">>:[] <ctime>\n");
        assert_eq!(
            server.finish().success(),
            format!("listening on {address}\nServer recive data: b''\n")
        );
    }
}

#[test]
fn binary_tcp_v2_serves_one_client_after_the_other_until_ctrl_c() {
    let (mut server, address) = serve("binary_tcp_server_v2");
    let first = run("binary_tcp_client_v2", address, &[], b"hello\nagain\n\n");
    assert_eq!(first, ">>:[hello] <ctime>\n>>:[again] <ctime>\n>>:");
    // The end of the input ends a client too; so does an empty first line.
    let second = run("binary_tcp_client_v2", address, &[], b"it's me\n");
    assert_eq!(second, ">>:[it's me] <ctime>\n>>:");
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
    assert_eq!(
        server.finish().success(),
        format!("listening on {address}\n{transcript}")
    );
}

#[test]
fn binary_tcp_v2_lets_a_second_client_wait_for_the_first() {
    let (mut server, address) = serve("binary_tcp_server_v2");
    let mut first = call("binary_tcp_client_v2", address, &[]);
    first.expect(">>:");
    first.type_in("one\n");
    assert_eq!(hide_ctime(&first.line()), "[one] <ctime>");

    let mut second = call("binary_tcp_client_v2", address, &[]);
    second.expect(">>:");
    second.type_in("two\n");
    first.expect(">>:");
    first.type_in("three\n");
    assert_eq!(hide_ctime(&first.line()), "[three] <ctime>");
    first.finish().success();
    assert_eq!(hide_ctime(&second.line()), "[two] <ctime>");
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
fn binary_tcp_v2_waits_for_nobody_after_ctrl_c() {
    let (mut server, address) = serve("binary_tcp_server_v2");
    let mut client = call("binary_tcp_client_v2", address, &[]);
    client.expect(">>:");
    client.type_in("hello\n");
    assert_eq!(hide_ctime(&client.line()), "[hello] <ctime>");

    let transcript = "waiting connection...\nServer recive data: b'hello'\n";
    server.expect(transcript);
    server.signal(Signal::SIGINT);
    assert_eq!(
        server.finish().success(),
        format!("listening on {address}\n{transcript}")
    );
    client.type_in("are you there?\n");
    let client = client.finish();
    assert_eq!(client.status.code(), Some(1));
    assert!(
        client.stderr.starts_with("Error: "),
        "it says that the server is gone: {:?}",
        client.stderr
    );
}
