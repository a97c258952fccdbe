//! Python clients of the crate's servers.

use super::*;

/// Sends `data` with a Python client. Returns the reply.
fn echo_to_python(client: &[&str], data: &[u8]) -> Vec<u8> {
    let mut client = Program::python("tests/python/echo_client.py", client);
    client.type_in(data);
    let client = client.finish();
    assert!(client.status.success(), "{}", client.stderr);
    client.stdout
}

fn check_stream_echoes(client: &[&str]) {
    for size in [256, 1 << 20] {
        let echo = echo_to_python(client, &bytes(size));
        assert!(
            echo == bytes(size),
            "the echo of {size} bytes differs: {client:?}"
        );
    }
}

fn check_datagram_echoes(client: &[&str], largest: usize) {
    for size in [256, largest] {
        let echo = echo_to_python(client, &bytes(size));
        assert!(
            echo == bytes(size),
            "the echo of {size} bytes differs: {client:?}"
        );
    }
}

/// Returns host and port as program arguments.
fn host_and_port(address: &SocketAddr) -> [String; 2] {
    [address.ip().to_string(), address.port().to_string()]
}

type MakeStrategy = fn() -> Box<dyn Strategy>;

const STRATEGIES: [MakeStrategy; 4] = [
    || Box::new(Sequential),
    || Box::new(Threading::new()),
    || Box::new(ThreadPool::new(2)),
    || Box::new(Coroutines::new()),
];

#[test]
fn python_clients_of_a_tcp_server() -> Result {
    if !python_is_there() {
        return Ok(());
    }
    for strategy in STRATEGIES {
        let server = TcpServer::bind("127.0.0.1:0", || Echo)?;
        let server = server.strategy(strategy()).spawn()?;
        let [host, port] = host_and_port(server.server_address());
        check_stream_echoes(&["tcp", &host, &port]);
        assert_eq!(server.stop()?.force_closed.len(), 0);
    }
    Ok(())
}

#[test]
fn python_clients_of_a_udp_server() -> Result {
    if !python_is_there() {
        return Ok(());
    }
    for strategy in STRATEGIES {
        let server = UdpServer::bind("127.0.0.1:0", || Echo)?;
        let server = server.strategy(strategy()).spawn()?;
        let [host, port] = host_and_port(server.server_address());
        check_datagram_echoes(&["udp", &host, &port], 65_507);
    }
    Ok(())
}

#[test]
fn python_clients_of_a_unix_stream_server() -> Result {
    if !python_is_there() {
        return Ok(());
    }
    let directory = TempDir::new();
    let path = directory.socket();
    let _server = UnixStreamServer::bind(&path, || Echo)?.spawn()?;
    check_stream_echoes(&["unix", path.to_str().unwrap()]);
    Ok(())
}

#[test]
fn python_clients_of_a_unix_datagram_server() -> Result {
    if !python_is_there() {
        return Ok(());
    }
    let directory = TempDir::new();
    let path = directory.socket();
    let _server = UnixDatagramServer::bind(&path, || Echo)?.spawn()?;
    check_datagram_echoes(&["unixgram", path.to_str().unwrap()], 65_535);
    Ok(())
}

#[test]
fn python_clients_of_the_echo_server() {
    if !python_is_there() {
        return;
    }
    let host = own_loopback().ip().to_string();
    let mut server = Program::example("echo_server", &["--port", "0", "--host", &host]);
    let [host, port] = host_and_port(&server.address());
    thread::scope(|scope| {
        // Concurrently, with the same port number.
        scope.spawn(|| check_stream_echoes(&["tcp", &host, &port]));
        scope.spawn(|| check_datagram_echoes(&["udp", &host, &port], 65_507));
    });
    server.signal(Signal::SIGINT);
    assert_eq!(
        server.finish().success().lines().rev().nth(1),
        Some("served 2 connections and 2 datagrams, 0 failed")
    );
}

#[test]
fn a_python_client_that_sends_lines() -> Result {
    if !python_is_there() {
        return Ok(());
    }
    struct Capitals;
    impl RequestHandler<TcpRequest> for Capitals {
        fn handle(&mut self, request: &mut TcpRequest) -> Result {
            loop {
                let line = request.readline(10_000)?;
                if line.is_empty() {
                    return Ok(());
                }
                request.send_all(line.to_ascii_uppercase())?;
            }
        }
    }
    let server = ThreadingTcpServer::bind("127.0.0.1:0", || Capitals)?.spawn()?;
    let address = host_and_port(server.server_address());
    let mut client = Program::python("tests/python/line_client.py", &address);
    client.type_in("one\ntwo\n\nstraße\n");
    assert_eq!(client.finish().success(), "ONE\nTWO\n\nSTRAßE\n");
    Ok(())
}
