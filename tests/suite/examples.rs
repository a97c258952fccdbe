//! Every program in `examples/` is run here, and has to print exactly what its comment promises.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use crate::common;
use crate::support::net::own_loopback;
use crate::support::process::{Finished, PATIENCE, Program, example_path};
use crate::support::transcript::{hide_ctime, is_run_by_the_tutorial, parse_ctime};
use chrono::{Local, Timelike};
use nix::sys::signal::Signal;
use socket2::SockRef;

/// Starts a server of `examples/` on a free port.
fn serve(name: &str) -> (Program, SocketAddr) {
    let mut server = Program::example(name, &["127.0.0.1:0"]);
    let address = server.address();
    (server, address)
}

/// Starts a client of `examples/`.
fn call(name: &str, address: SocketAddr, words: &[&str]) -> Program {
    let mut arguments = vec![address.to_string()];
    arguments.extend(words.iter().map(|&word| word.to_owned()));
    Program::example(name, &arguments)
}

/// Runs a client of `examples/` to its end and tells what it printed.
fn run(name: &str, address: SocketAddr, words: &[&str], input: &[u8]) -> String {
    let mut client = call(name, address, words);
    client.type_in(input);
    hide_ctime(client.finish().success())
}

#[test]
fn every_example_has_a_test() {
    let examples = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap();
    for example in examples {
        let path = example.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let tested = include_str!("examples.rs").contains(&format!("\"{name}\""));
            assert!(
                tested || is_run_by_the_tutorial(name),
                "neither tests/examples.rs nor docs/tutorial.md runs examples/{name}.rs"
            );
        }
    }
}

// ---- the first programs of the tutorial (tests/tutorial.rs runs the others) ----

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

// ---- the echo server and its clients ----

/// The strategies that the echo server offers.
fn strategies() -> Vec<String> {
    let help = Program::example("echo_server", &["-h"]).finish();
    let (_, values) = help.success().split_once("[possible values: ").unwrap();
    let (values, _) = values.split_once(']').unwrap();
    let strategies: Vec<_> = values.split(", ").map(String::from).collect();
    for strategy in ["sequential", "threading", "thread-pool", "coroutines"] {
        assert!(strategies.iter().any(|other| other == strategy));
    }
    strategies
}

/// Runs `test` with each strategy, all at the same time.
fn with_each_strategy(test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for strategy in strategies() {
            let test = &test;
            scope.spawn(move || test(&strategy));
        }
    });
}

/// Starts the echo server on a free port, of a loopback address that no other test uses unless the
/// options name one: it counts what it gets, and a late datagram to a port that was somebody else's
/// a moment ago would be one too many.
fn serve_echo(options: &[&str]) -> (Program, SocketAddr) {
    let host = own_loopback().ip().to_string();
    let own: &[&str] = match options.contains(&"--host") {
        true => &["--port", "0"],
        false => &["--port", "0", "--host", &host],
    };
    let mut server = Program::example("echo_server", &[own, options].concat());
    let address = server.address();
    let (host, port) = (address.ip(), address.port());
    assert!(
        server
            .line()
            .starts_with(&format!("TCP: nc {host} {port} "))
    );
    assert!(
        server
            .line()
            .starts_with(&format!("UDP: nc -u {host} {port} "))
    );
    (server, address)
}

/// What the echo server printed after it was told to stop.
fn after_stop(server: &Finished) -> Vec<&str> {
    server.success().lines().skip(3).collect()
}

fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    client
}

fn connect_udp(address: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// `size` bytes, of every value.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n ^ (n >> 8)) as u8).collect()
}

/// Sends `data` while receiving as much.
fn exchange(mut client: &TcpStream, data: &[u8]) {
    let mut echo = vec![0; data.len()];
    thread::scope(|scope| {
        scope.spawn(|| (&*client).write_all(data).unwrap());
        client.read_exact(&mut echo).unwrap();
    });
    assert!(echo == data, "{} bytes came back changed", data.len());
}

fn exchange_packet(client: &UdpSocket, data: &[u8]) {
    client.send(data).unwrap();
    let mut echo = vec![0; 65536];
    let size = client.recv(&mut echo).unwrap();
    assert!(echo[..size] == *data, "{} bytes changed", data.len());
}

#[test]
fn echo_server_echoes_every_byte_under_every_strategy() {
    with_each_strategy(|strategy| {
        let (server, address) = serve_echo(&["--strategy", strategy]);

        let client = connect(address);
        exchange(&client, &bytes(256));
        exchange(&client, &bytes(3 << 20));
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&client).read(&mut [0]).unwrap(), 0, "the end, in order");

        let client = connect_udp(address);
        exchange_packet(&client, &bytes(1));
        exchange_packet(&client, &bytes(256));
        exchange_packet(&client, &bytes(65_507));

        server.signal(Signal::SIGINT);
        let server = server.finish();
        // Its end may have been seen before the signal or after it.
        let lines = after_stop(&server);
        let [.., served, drained] = &lines[..] else {
            panic!("{strategy}: {lines:?}");
        };
        assert_eq!(
            *served, "served 1 connection and 3 datagrams, 0 failed",
            "{strategy}"
        );
        assert!(drained.starts_with("drained: "), "{drained}");
        assert!(
            drained.ends_with(" 0 refused, 0 interrupted, 0 abandoned"),
            "{drained}"
        );
    });
}

#[test]
fn echo_server_serves_clients_at_once_or_in_turn() {
    with_each_strategy(|strategy| {
        let (_server, address) = serve_echo(&["--strategy", strategy]);
        let first = connect(address);
        exchange(&first, b"first");
        let second = connect(address);
        if strategy == "sequential" {
            (&second).write_all(b"second").unwrap();
            exchange(&first, b"first again");
            drop(first);
            let mut echo = [0; 6];
            (&second).read_exact(&mut echo).unwrap();
            assert_eq!(&echo, b"second");
        } else {
            exchange(&second, b"second");
            exchange(&first, b"first again");
        }
        exchange_packet(&connect_udp(address), b"UDP is not in the way of TCP");
    });
}

/// How many threads a running program has.
fn threads(program: &Program) -> usize {
    let threads = fs::read_dir(format!("/proc/{}/task", program.id()));
    threads.unwrap().count()
}

#[test]
fn echo_server_has_as_many_threads_as_it_is_told() {
    let (server, address) = serve_echo(&["--strategy", "coroutines", "--workers", "1"]);
    let first = connect(address);
    exchange(&first, b"first");
    // Both of its servers are there then.
    run("udp_echo_client", address, &["hello"], b"");
    let before = threads(&server);
    let clients: Vec<_> = (0..100).map(|_| connect(address)).collect();
    for client in clients.iter().chain([&first]) {
        exchange(client, b"hello");
    }
    assert_eq!(threads(&server), before);

    let (_server, address) = serve_echo(&["--strategy", "thread-pool", "--workers", "1"]);
    let first = connect(address);
    exchange(&first, b"first");
    let second = connect(address);
    (&second).write_all(b"second").unwrap();
    exchange(&first, b"first again");
    drop(first);
    let mut echo = [0; 6];
    (&second).read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"second");
}

#[test]
fn echo_server_can_add_the_time() {
    let (_server, address) = serve_echo(&["--ctime"]);
    let now = || Local::now().naive_local().with_nanosecond(0).unwrap();
    let before = now();
    let answer = Program::example("tcp_echo_client", &[&address.to_string(), "hello"]).finish();
    let time = answer.success().strip_prefix("[hello] ").unwrap();
    let time = parse_ctime(time.trim_end()).expect("a time as ctime() writes it");
    assert!(before <= time && time <= now());

    let answer = run("udp_echo_client", address, &["hello"], b"");
    assert_eq!(answer, "[hello] <ctime>\n");
    let answer = run("binary_tcp_client_v2", address, &[], b"hello\n");
    assert_eq!(answer, ">>:[hello] <ctime>\n>>:");
}

#[test]
fn echo_server_serves_ipv6() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let (_server, address) = serve_echo(&["--host", "::1"]);
    for client in ["tcp_echo_client", "udp_echo_client"] {
        assert_eq!(run(client, address, &["hello"], b""), "hello\n");
    }
}

#[test]
fn echo_server_ends_at_a_signal_although_a_client_is_idle() {
    with_each_strategy(|strategy| {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let (server, address) = serve_echo(&["--strategy", strategy, "--grace", "0.5"]);
            let client = connect(address);
            exchange(&client, b"hello");
            exchange_packet(&connect_udp(address), b"hello");
            server.signal(signal);
            let server = server.finish();
            let mut lines = after_stop(&server);
            // A handler in the accept loop has to end before the loop can.
            if strategy != "sequential" {
                let waiting = lines.remove(0);
                assert_eq!(
                    waiting,
                    "waiting for 1 open connection; Ctrl-C again does not"
                );
            }
            let local = client.local_addr().unwrap();
            let cut_off = lines.remove(0);
            assert!(
                cut_off.starts_with(&format!("cut off: {local}, ")),
                "{cut_off}"
            );
            let [served, drained] = lines[..] else {
                panic!("{strategy}, {signal}: {lines:?}");
            };
            assert_eq!(
                served,
                "served 0 connections and 1 datagram, 0 failed, 1 cut off"
            );
            // The datagram may have been counted before the signal or after it.
            assert!(
                drained.ends_with(" 1 interrupted, 0 abandoned"),
                "{drained}"
            );
            assert_eq!((&client).read(&mut [0]).unwrap(), 0, "the end, in order");
        }
    });
}

#[test]
fn echo_server_waits_for_open_connections() {
    let (mut server, address) = serve_echo(&["--grace", "3600"]);
    let client = connect(address);
    exchange(&client, b"hello");
    server.signal(Signal::SIGINT);
    server.expect("waiting for 1 open connection; Ctrl-C again does not\n");
    exchange(&client, b"take your time");
    drop(client);
    let expected = [
        "served 1 connection and 0 datagrams, 0 failed",
        "drained: 1 completed, 0 failed, 0 refused, 0 interrupted, 0 abandoned",
    ];
    assert!(after_stop(&server.finish()).ends_with(&expected));
}

#[test]
fn echo_server_has_as_many_connections_as_it_may() {
    with_each_strategy(|strategy| {
        let options = ["--strategy", strategy, "--max-connections", "1"];
        let (server, address) = serve_echo(&options);
        let first = connect(address);
        exchange(&first, b"hello");
        let second = connect(address);
        (&second).write_all(b"and me?").unwrap();
        drop(first);
        let mut answer = [0; 7];
        (&second).read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"and me?");
        drop(second);
        server.signal(Signal::SIGTERM);
        server.finish().success();
    });
}

#[test]
fn echo_server_does_not_wait_for_ever_for_a_client() {
    with_each_strategy(|strategy| {
        let options = ["--strategy", strategy, "--timeout", "0.2"];
        let (server, address) = serve_echo(&options);
        let client = connect(address);
        exchange(&client, b"hello");
        assert_eq!((&client).read(&mut [0]).unwrap(), 0, "the end, in order");
        server.signal(Signal::SIGTERM);
        let server = server.finish();
        assert!(server.status.success());
        let summary = "served 0 connections and 0 datagrams, 1 failed";
        assert!(
            server.text().contains(summary),
            "{strategy}: {}",
            server.text()
        );
        assert!(server.stderr.contains("timed out"), "{}", server.stderr);
    });
}

#[test]
fn echo_server_ends_at_once_at_the_second_signal() {
    let (mut server, address) = serve_echo(&["--grace", "3600"]);
    let client = connect(address);
    exchange(&client, b"hello");
    server.signal(Signal::SIGINT);
    server.expect("waiting for 1 open connection; Ctrl-C again does not\n");
    server.signal(Signal::SIGINT);
    assert_eq!(server.finish().status.code(), Some(130));
}

#[test]
fn echo_server_goes_on_when_nobody_reads_what_it_prints() {
    let (reader, writer) = io::pipe().unwrap();
    let mut command = Command::new(example_path("echo_server"));
    command.args(["--port", "0"]).stdout(writer);
    let server = Program::start_without_stdout(command);

    // Reads what it prints up to the last line before it serves, then closes the pipe.
    let (sender, lines) = channel();
    thread::spawn(move || {
        let lines: io::Result<Vec<_>> = BufReader::new(reader).lines().take(3).collect();
        sender.send(lines.unwrap())
    });
    let lines = lines.recv_timeout(PATIENCE).unwrap();
    let address = lines[0].strip_prefix("listening on ").unwrap();

    exchange(&connect(address.parse().unwrap()), b"hello");
    server.signal(Signal::SIGINT);
    server.finish().success();
}

#[test]
fn echo_server_says_what_is_wrong() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let server = Program::example("echo_server", &["--port", &port]).finish();
    assert_eq!(server.status.code(), Some(1));
    assert_eq!(server.text(), "");
    assert!(
        server.stderr.contains("cannot bind to 127.0.0.1:") && server.stderr.contains("port 0"),
        "{}",
        server.stderr
    );

    let server = Program::example("echo_server", &["--strategy", "nonsense"]).finish();
    assert_eq!(server.status.code(), Some(2));
    assert!(server.stderr.contains("thread-pool"), "{}", server.stderr);

    for options in [
        ["--workers", "2"],
        ["--workers", "0"],
        ["--max-connections", "0"],
        ["--timeout", "soon"],
        ["--grace=-1", ""],
    ] {
        let server = Program::example("echo_server", &options).finish();
        assert_eq!(server.status.code(), Some(2), "{options:?}");
        let option = options[0].trim_end_matches("=-1");
        assert!(server.stderr.contains(option), "{}", server.stderr);
    }
}

#[test]
fn echo_clients_send_their_arguments_or_what_is_typed() {
    let (_server, address) = serve_echo(&[]);
    for client in ["tcp_echo_client", "udp_echo_client"] {
        let answer = run(client, address, &["hello", "good bye"], b"");
        assert_eq!(answer, "hello\ngood bye\n");

        let mut client = call(client, address, &[]);
        client.type_in("hello\n");
        client.expect("hello\n");
        client.type_in(b"\xff\0\r last line");
        assert_eq!(client.finish().stdout, b"hello\n\xff\0\r last line\n");
    }
}

#[test]
fn echo_clients_do_not_wait_for_ever() {
    // A TCP server that closes without an answer.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let patience = SockRef::from(&listener).set_read_timeout(Some(PATIENCE));
    patience.expect("a limit to accept()");
    let address = listener.local_addr().unwrap();
    let client = call("tcp_echo_client", address, &["hello"]);
    let (mut connection, _) = listener.accept().unwrap();
    connection.read_exact(&mut [0; 5]).unwrap();
    drop(connection);
    let client = client.finish();
    assert_eq!(client.status.code(), Some(1));
    assert_eq!(
        client.stderr,
        "Error: \"the server has closed the connection\"\n"
    );

    // A UDP socket that nobody reads from.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let answer = run("udp_echo_client", address, &["hello"], b"");
    assert_eq!(answer, "no answer within 5s\n");
}

// ---- the chat ----

/// Somebody who chats.
struct Member(BufReader<TcpStream>);

impl Member {
    fn connect(address: SocketAddr) -> Self {
        let mut member = Self(BufReader::new(connect(address)));
        assert_eq!(member.hears(), "your name?");
        member
    }

    fn says(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.0.get_mut().write_all(line.as_bytes()).unwrap();
    }

    fn hears(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

#[test]
fn the_members_of_chat_server_hear_each_other() {
    let (server, address) = serve("chat_server");
    let welcome = |name: &str, number: usize| {
        format!("hello {name}, there are {number} of you; /who tells who, /quit leaves")
    };
    let mut bob = Member::connect(address);
    bob.says("Bob");
    assert_eq!(bob.hears(), welcome("Bob", 1));
    let mut ada = Member::connect(address);
    ada.says("Bob");
    assert_eq!(ada.hears(), "that name is taken; another one?");
    ada.says("Ada");
    assert_eq!(ada.hears(), welcome("Ada", 2));

    bob.says("are you there?");
    assert_eq!(ada.hears(), "Bob: are you there?");
    ada.says("yes");
    ada.says("/who");
    assert_eq!(ada.hears(), "Ada, Bob");
    assert_eq!(bob.hears(), "Ada: yes");
    ada.says("/quit");
    assert_eq!(ada.hears(), "", "the end");

    server.signal(Signal::SIGINT);
    assert_eq!(bob.hears(), "* the server stops");
    assert_eq!(bob.hears(), "", "the end");
    assert_eq!(
        server.finish().success(),
        format!("listening on {address}\nserved 2 clients, 0 failed\n")
    );
}

#[test]
fn chat_server_has_no_thread_for_a_thousand_members() {
    let most = usize::try_from(common::allow_many_sockets()).unwrap_or(usize::MAX);
    let count = most.saturating_sub(300).min(1000);
    let (server, address) = serve("chat_server");
    let join = |number| {
        let mut member = Member::connect(address);
        member.says(&format!("member {number}"));
        assert!(member.hears().starts_with("hello member"));
        member
    };
    let mut members = vec![join(1)];
    let before = threads(&server);
    members.extend((2..=count).map(join));
    let (speaker, listeners) = members.split_first_mut().unwrap();
    speaker.says("hello, all of you");
    for listener in listeners {
        assert_eq!(listener.hears(), "member 1: hello, all of you");
    }
    assert_eq!(threads(&server), before);
}

// ---- the examples of Python's documentation ----

#[test]
fn tcp_server_answers_in_capitals() {
    let (server, address) = serve("tcp_server");
    let answer = run("tcp_client", address, &["hello", "world"], b"");
    assert_eq!(answer, "Sent:     hello world\nReceived: HELLO WORLD\n\n");
    assert_eq!(
        server.kill().text(),
        format!("listening on {address}\nReceived from 127.0.0.1:\nhello world\n\n")
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
        format!("listening on {address}\n127.0.0.1 wrote:\npython is nice\n")
    );
}

#[test]
fn udp_server_answers_in_capitals() {
    let (server, address) = serve("udp_server");
    let answer = run("udp_client", address, &["hello", "world"], b"");
    assert_eq!(answer, "Sent:     hello world\nReceived: HELLO WORLD\n");
    assert_eq!(
        server.kill().text(),
        format!("listening on {address}\n127.0.0.1 wrote:\nb'hello world'\n")
    );
}

#[test]
fn threaded_server_has_three_clients() {
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
fn a_server_whose_address_is_taken_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for server in ["tcp_server", "tcp_server_stream", "binary_tcp_server_v1"] {
        let server = Program::example(server, &[&address]).finish();
        assert_eq!(server.status.code(), Some(1));
        let said = format!("Error: cannot bind to {address}");
        assert!(server.stderr.starts_with(&said), "{}", server.stderr);
    }
}

// ---- what they have in common ----

#[test]
fn bytes_look_as_they_do_in_python() {
    assert_eq!(common::repr(b""), "b''");
    assert_eq!(common::repr(b"it's"), "b\"it's\"");
    assert_eq!(common::repr(b"\"it's\""), "b'\"it\\'s\"'");
    assert_eq!(common::repr(b"\t\n\r\\~"), "b'\\t\\n\\r\\\\~'");
    assert_eq!(common::repr(b"\0\x1f\x7f\xff"), "b'\\x00\\x1f\\x7f\\xff'");
}

#[test]
fn ctime_pads_the_day_with_a_space() {
    assert!(parse_ctime(&common::ctime()).is_some());
    assert!(parse_ctime("Sun Jun 20 23:21:05 1993").is_some());
    assert!(parse_ctime("Thu Jul  1 03:02:01 1993").is_some());
    assert!(parse_ctime("Thu Jul 01 03:02:01 1993").is_none());
}
