//! The echo server and its clients.

use super::*;

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

/// Runs `test` with all strategies concurrently.
fn with_each_strategy(test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for strategy in strategies() {
            let test = &test;
            scope.spawn(move || test(&strategy));
        }
    });
}

/// Starts the echo server on a free port. Unless the options name a host, uses a loopback address that no
/// other test uses, because a late datagram to an earlier owner of the port would be counted too.
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

/// Returns the lines that the echo server printed after the stop.
fn after_stop(server: &Finished) -> Vec<&str> {
    server.success().lines().skip(3).collect()
}

fn connect_udp(address: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Returns `size` bytes with all values.
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
    assert!(echo == data, "the echo of {} bytes differs", data.len());
}

/// Sends `data` and returns as much of an answer as arrives before the end.
fn try_ask(mut client: &TcpStream, data: &[u8]) -> io::Result<Vec<u8>> {
    client.write_all(data)?;
    let mut answer = Vec::new();
    let size = data.len().try_into().unwrap();
    client.take(size).read_to_end(&mut answer)?;
    Ok(answer)
}

fn exchange_packet(client: &UdpSocket, data: &[u8]) {
    client.send(data).unwrap();
    let mut echo = vec![0; 65536];
    let size = client.recv(&mut echo).unwrap();
    assert!(
        echo[..size] == *data,
        "the echo of {} bytes differs",
        data.len()
    );
}

#[test]
fn echo_server_echoes_every_byte_under_every_strategy() {
    with_each_strategy(|strategy| {
        let (server, address) = serve_echo(&["--strategy", strategy]);

        let client = connect(address);
        exchange(&client, &bytes(256));
        exchange(&client, &bytes(3 << 20));
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&client).read(&mut [0]).unwrap(), 0, "an orderly end");

        let client = connect_udp(address);
        exchange_packet(&client, &bytes(1));
        exchange_packet(&client, &bytes(256));
        exchange_packet(&client, &bytes(65_507));

        server.signal(Signal::SIGINT);
        let server = server.finish();
        // The end of the connection may be noticed before or after the signal.
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
            drained.ends_with(" 0 rejected, 0 force-closed, 0 abandoned"),
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

#[test]
fn echo_server_starts_the_configured_number_of_threads() {
    let (server, address) = serve_echo(&["--strategy", "coroutines", "--workers", "1"]);
    let first = connect(address);
    exchange(&first, b"first");
    // After this reply, both the TCP and the UDP server run.
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
    let time = parse_ctime(time.trim_end()).expect("a time in the format of ctime()");
    assert!(before <= time && time <= now());

    let answer = run("udp_echo_client", address, &["hello"], b"");
    assert_eq!(answer, "[hello] <ctime>\n");
    let answer = run("binary_tcp_client_v2", address, &[], b"hello\n");
    assert_eq!(answer, ">>:Clinet recive data: [hello] <ctime>\n>>:");
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
fn echo_server_ends_at_a_signal_despite_an_idle_client() {
    with_each_strategy(|strategy| {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            // On a busy machine the handler may end so late that it is abandoned, but not each time.
            let is_in_time = (0..10).any(|_| end_despite_an_idle_client(strategy, signal));
            assert!(is_in_time, "{strategy}, {signal}: abandoned each time");
        }
    });
}

/// Checks the output and the end of the server. Returns `false` if the handler was so late that it was abandoned, or
/// that the group has not waited for its accept loop.
fn end_despite_an_idle_client(strategy: &str, signal: Signal) -> bool {
    let (server, address) = serve_echo(&["--strategy", strategy, "--grace", "0.5"]);
    let client = connect(address);
    exchange(&client, b"hello");
    exchange_packet(&connect_udp(address), b"hello");
    server.signal(signal);
    let server = server.finish();
    let mut lines = after_stop(&server);
    let waits = lines[0] == "waiting for 1 open connection; press Ctrl-C again to end at once";
    // A handler in the accept loop has to end before the loop can.
    let is_in_loop = strategy == "sequential";
    let last = lines.last().unwrap();
    if last.ends_with(" 0 force-closed, 1 abandoned") || is_in_loop && waits {
        return false;
    }
    if !is_in_loop {
        assert!(waits, "{strategy}, {signal}: {lines:?}");
        lines.remove(0);
    }
    let local = client.local_addr().unwrap();
    let force_closed = lines.remove(0);
    assert!(
        force_closed.starts_with(&format!("force-closed: {local}, ")),
        "{force_closed}"
    );
    let [served, drained] = lines[..] else {
        panic!("{strategy}, {signal}: {lines:?}");
    };
    assert_eq!(
        served,
        "served 0 connections and 1 datagram, 0 failed, 1 force-closed"
    );
    // The datagram may have been counted before the signal or after it.
    assert!(
        drained.ends_with(" 1 force-closed, 0 abandoned"),
        "{drained}"
    );
    assert_eq!((&client).read(&mut [0]).unwrap(), 0, "an orderly end");
    true
}

#[test]
fn echo_server_waits_for_open_connections() {
    let (mut server, address) = serve_echo(&["--grace", "3600"]);
    let client = connect(address);
    exchange(&client, b"hello");
    server.signal(Signal::SIGINT);
    server.expect("waiting for 1 open connection; press Ctrl-C again to end at once\n");
    exchange(&client, b"take your time");
    drop(client);
    let expected = [
        "served 1 connection and 0 datagrams, 0 failed",
        "drained: 1 completed, 0 failed, 0 disconnected, 0 rejected, 0 force-closed, 0 abandoned",
    ];
    assert!(after_stop(&server.finish()).ends_with(&expected));
}

#[test]
fn echo_server_enforces_max_connections() {
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
fn echo_server_closes_idle_connections_after_the_timeout() {
    with_each_strategy(|strategy| {
        let options = ["--strategy", strategy, "--timeout", "1"];
        let (server, address) = serve_echo(&options);
        // A client that gets processor time too late is ended unanswered, and fails too.
        let mut failed = 0;
        loop {
            let client = connect(address);
            failed += 1;
            let answer = try_ask(&client, b"hello");
            if answer.is_ok_and(|answer| answer == b"hello") {
                assert_eq!((&client).read(&mut [0]).unwrap(), 0, "an orderly end");
                break;
            }
            assert!(failed < 10, "{strategy}: no client is answered");
        }
        server.signal(Signal::SIGTERM);
        let server = server.finish();
        assert!(server.status.success());
        let summary = format!("served 0 connections and 0 datagrams, {failed} failed");
        assert!(
            server.text().contains(&summary),
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
    server.expect("waiting for 1 open connection; press Ctrl-C again to end at once\n");
    // A signal within 100 ms would be a repetition of the first.
    thread::sleep(std::time::Duration::from_millis(100));
    server.signal(Signal::SIGINT);
    assert_eq!(server.finish().status.code(), Some(130));
}

#[test]
fn echo_server_continues_after_its_stdout_is_closed() {
    // The three lines that the server prints before it serves.
    let (server, address) = serve_without_stdout("echo_server", &["--port", "0"], 3);
    exchange(&connect(address), b"hello");
    server.signal(Signal::SIGINT);
    server.finish().success();
}

#[test]
fn echo_server_reports_wrong_options_and_addresses() {
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
fn echo_clients_send_their_arguments_or_their_input() {
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
fn echo_clients_do_not_wait_without_a_limit() {
    // A TCP server that closes the connection without a reply.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let limited = SockRef::from(&listener).set_read_timeout(Some(PATIENCE));
    limited.expect("a timeout of accept()");
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

    // A UDP socket that is never read.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let answer = run("udp_echo_client", address, &["hello"], b"");
    assert_eq!(answer, "no answer within 5s\n");
}
