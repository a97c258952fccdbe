//! The programs and their errors.

use std::os::unix::net::UnixListener;

use socketserver::prelude::*;
use socketserver::testing::TestServer;

use super::*;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Returns a program without its first comment, which describes how to run it, because the page describes
/// that itself.
fn without_comment(source: &str) -> &str {
    let program = match source.strip_prefix("\"\"\"") {
        Some(comment) => comment.split_once("\"\"\"\n").expect("its end").1,
        None => {
            let lines = source.split_inclusive('\n');
            let comment = lines.take_while(|line| line.starts_with("//"));
            &source[comment.map(str::len).sum()..]
        }
    };
    program.trim_start()
}

/// Returns the source of an example, as the page shows it.
fn program(name: &str) -> String {
    let path = examples().join(name);
    let source = fs::read_to_string(&path);
    let source = source.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    without_comment(&source).to_owned()
}

/// Returns the names in "`examples/NAME`:" or "From `examples/ONE` to `examples/OTHER`:".
fn names(label: &str) -> Vec<&str> {
    let quoted = label.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|path| path.strip_prefix("examples/"))
        .collect()
}

fn lines_without(other_side: char, hunk: &[&str]) -> String {
    let lines = hunk.iter().filter(|line| !line.starts_with(other_side));
    lines.fold(String::new(), |text, line| {
        text + line.get(1..).unwrap_or_default() + "\n"
    })
}

/// Applies a `diff` block.
fn patch(mut program: String, block: &Block) -> String {
    for hunk in block.lines.split(|&line| line == "...") {
        let old = lines_without('+', hunk);
        assert_eq!(
            program.matches(&old).count(),
            1,
            "not found exactly once:\n{old}"
        );
        program = program.replace(&old, &lines_without('-', hunk));
    }
    program
}

#[test]
fn the_programs_on_the_page_are_the_files() {
    for block in blocks() {
        println!("{}", block.place()); // shown if the test fails
        let names = names(block.label);
        match block.language {
            // A program of the documentation's tests.
            "rust" | "rust,ignore-windows" if names.is_empty() => {}
            "python" | "rust" | "rust,ignore" | "rust,no_run" => {
                let is_own = OWN.contains(&names[0]);
                let place = if is_own {
                    "`src/main.rs`, in the clone "
                } else {
                    ""
                };
                assert_eq!(block.label, format!("{place}`examples/{}`:", names[0]));
                assert_eq!(block.lines.join("\n") + "\n", program(names[0]));
            }
            "diff" if names == [OWN[0]] => {
                assert_eq!(patch(program(names[0]), &block), include_str!("greeter.rs"));
            }
            "diff" => assert_eq!(patch(program(names[0]), &block), program(names[1])),
            "console" | "sh" | "text" | "toml" => {}
            other => panic!("no test checks blocks of {other:?}"),
        }
    }
}

#[test]
fn the_page_shows_every_program_that_was_written_for_it() {
    let shown: Vec<_> = blocks()
        .iter()
        .filter_map(|block| names(block.label).pop())
        .collect();
    for directory in ["", "python", "unix"].map(|name| examples().join(name)) {
        for file in fs::read_dir(&directory).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(examples()).unwrap().to_str().unwrap();
            let is_stub = examples().join("unix").join(name).is_file();
            if name.contains("tutorial_") && path.is_file() && !is_stub {
                assert!(shown.contains(&name), "docs/tutorial lacks {name}");
            }
        }
    }
}

/// Returns the message of a test in which a client sends a line that is too long for the reader's own program.
fn failure_of_a_test() -> String {
    let greeting = handler_fn(|request: &mut TcpRequest| {
        while request.next_line(1000)?.is_some() {}
        Ok(())
    });
    let server = TestServer::start(ThreadingTcpServer::bind("127.0.0.1:0", greeting).unwrap());
    let mut client = server.client();
    client.send_all([b'x'; 2000]).unwrap();
    assert_eq!(client.rest().unwrap(), b"");
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(server)));
    let message = failed.unwrap_err().downcast::<String>();
    *message.expect("a text")
}

/// Runs a program that fails. Returns its error, with the address of the page.
fn error_of(name: &str, address: SocketAddr) -> String {
    let failed = Program::example(name, &[address.to_string()]).finish();
    assert_eq!(failed.status.code(), Some(1), "{name}");
    assert_eq!(failed.stdout, b"", "{name}");
    failed
        .stderr
        .replace(&address.to_string(), "127.0.0.1:6969")
}

#[test]
fn the_errors_on_the_page_are_those_of_the_programs() {
    let blocks = blocks();
    let mut errors = blocks.iter().filter(|block| block.language == "text");
    let mut next_is = |error: String| {
        let block = errors.next().expect("an error on the page");
        assert_eq!(block.lines.join("\n") + "\n", error);
    };

    let listener = TcpListener::bind(own_loopback()).unwrap();
    next_is(error_of(
        "tutorial_handler_v2",
        listener.local_addr().unwrap(),
    ));

    // This socket occupies the port and does not listen.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&own_loopback().into()).unwrap();
    let closed_port = socket.local_addr().unwrap().as_socket().unwrap();
    let refused = error_of("binary_tcp_client_v2", closed_port);
    assert_eq!(error_of("binary_tcp_client_v1", closed_port), refused);
    // This socket is connected to itself, so datagrams from other sockets find a closed port.
    let socket = UdpSocket::bind(own_loopback()).unwrap();
    let closed_port = socket.local_addr().unwrap();
    socket.connect(closed_port).unwrap();
    assert_eq!(error_of("udp_client", closed_port), refused);
    next_is(refused);

    // The file of a server that has ended.
    let place = std::env::temp_dir().join(format!("tutorial-{}-left.sock", std::process::id()));
    drop(UnixListener::bind(&place).unwrap());
    let failed = Program::example("tutorial_unix_v1", &[&place]).finish();
    fs::remove_file(&place).unwrap();
    assert_eq!((failed.status.code(), &*failed.stdout), (Some(1), &b""[..]));
    let path = place.to_str().unwrap();
    next_is(failed.stderr.replace(path, SOCKET_FILE));

    // The tests that succeed.
    let block = errors.next().expect("the output of the tests");
    let tests = include_str!("greeter.rs").split("#[test]\n    fn ").skip(1);
    let names = tests.map(|test| test.split('(').next().unwrap_or_default());
    let lines = names.map(|name| format!("test tests::{name} ... ok"));
    let listed = block
        .lines
        .iter()
        .filter(|line| line.starts_with("test tests"));
    assert!(lines.eq(listed.copied()), "{}", block.place());

    // The test that fails. Its place and the lines around the message are those of `cargo test`.
    let block = errors.next().expect("the output of the test");
    let error = failure_of_a_test();
    assert!(block.lines.contains(&&*error), "{}: {error}", block.place());
    assert!(
        errors.next().is_none(),
        "an error on the page that is not checked"
    );
}
