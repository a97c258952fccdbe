//! The examples from Python's documentation.

use super::*;

#[test]
fn tcp_server_replies_in_capitals() {
    let (server, address) = serve("tcp_server");
    let answer = run("tcp_client", address, &["hello", "world"], b"");
    assert_eq!(answer, "Sent:     hello world\nReceived: HELLO WORLD\n\n");
    assert_eq!(
        server.kill().text(),
        format!("listening on {address}\nReceived from 127.0.0.1:\nb'hello world\\n'\n")
    );
}

#[test]
fn tcp_server_waits_for_the_whole_line_or_the_end() {
    let (_server, address) = serve("tcp_server");
    let answer = |pieces: &[&[u8]]| {
        let mut client = connect(address);
        for piece in pieces {
            client.write_all(piece).unwrap();
        }
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        answer
    };
    assert_eq!(answer(&[b"hel", b"lo", b"\n"]), b"HELLO\n");
    assert_eq!(answer(&[b"hello"]), b"HELLO");
    assert_eq!(answer(&[]), b"");
    assert_eq!(answer(&[&[b'a'; 10_000]]), [b'A'; 10_000]);
}

#[test]
fn tcp_server_stream_reads_a_line() {
    let (server, address) = serve("tcp_server_stream");
    let answer = run("tcp_client", address, &["python", "is", "nice"], b"");
    assert_eq!(
        answer,
        "Sent:     python is nice\nReceived: PYTHON IS NICE\n"
    );
    assert_eq!(
        server.kill().text(),
        format!("listening on {address}\n127.0.0.1 wrote:\nb'python is nice'\n")
    );
}

#[test]
fn udp_server_replies_in_capitals() {
    let (server, address) = serve("udp_server");
    let answer = run("udp_client", address, &["hello", "world"], b"");
    assert_eq!(answer, "Sent:     hello world\nReceived: HELLO WORLD\n");
    assert_eq!(
        server.kill().text(),
        format!("listening on {address}\n127.0.0.1 wrote:\nb'hello world'\n")
    );
}

#[test]
fn threaded_server_serves_three_clients() {
    let server = Program::example("threaded_server", &[] as &[&str]).finish();
    let lines: Vec<_> = server.success().lines().collect();
    assert_eq!(lines[0], "Server loop running in thread: socketserver");
    assert_eq!(lines.len(), 4);
    for (number, line) in (1..).zip(&lines[1..]) {
        let (thread, message) = line.rsplit_once(": ").unwrap();
        assert_eq!(message, format!("Hello World {number}"));
        let thread = thread.strip_prefix("Received: socketserver-").unwrap();
        assert!((1..=3).contains(&thread.parse().unwrap()), "{line}");
    }
}

#[test]
fn a_server_whose_address_is_in_use_reports_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for server in ["tcp_server", "tcp_server_stream", "binary_tcp_server_v1"] {
        let server = Program::example(server, &[&address]).finish();
        assert_eq!(server.status.code(), Some(1));
        let expected = format!("Error: cannot bind to {address}");
        assert!(server.stderr.starts_with(&expected), "{}", server.stderr);
    }
}
