//! The listeners of the echo server: `--listen`, access lists, TLS and proxies.

use std::os::unix::net::UnixStream;

use super::*;
use crate::support::net::unique_name;

/// Starts the echo server with these listeners. Returns what it says about each.
fn listen(listeners: &[&str], options: &[&str]) -> (Program, Vec<String>) {
    let listen = listeners.iter().flat_map(|listener| ["--listen", listener]);
    let arguments: Vec<_> = listen.chain(options.iter().copied()).collect();
    let mut server = Program::example("echo_server", &arguments);
    let lines = listeners.iter().map(|_| {
        let line = server.line();
        let address = line.strip_prefix("listening on ").expect("a listener");
        address.to_owned()
    });
    let lines = lines.collect();
    (server, lines)
}

fn socket_address(listener: &str) -> SocketAddr {
    let (_, address) = listener.split_once("://").expect("a scheme");
    address.parse().unwrap()
}

fn last_lines(server: Program) -> Vec<String> {
    server.signal(Signal::SIGINT);
    let finished = server.finish();
    let lines: Vec<_> = finished.success().lines().map(str::to_owned).collect();
    lines[lines.len() - 2..].to_vec()
}

#[test]
fn every_listener_says_where_it_listens() {
    let path = std::env::temp_dir().join(format!("echo-{}", unique_name()));
    let unix = format!("unix:{}", path.display());
    let own = own_loopback().ip();
    let tcp = format!("tcp://{own}:0");
    let (server, listeners) = listen(&[&tcp, &unix, &format!("udp://{own}:0"), &tcp], &[]);
    assert_eq!(listeners[1], unix);
    for listener in [&listeners[0], &listeners[3]] {
        let mut client = TcpStream::connect(socket_address(listener)).unwrap();
        client.write_all(b"hello").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();
    }
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"hello").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    drop(client);
    let client = UdpSocket::bind((own, 0)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
        .send_to(b"hello", socket_address(&listeners[2]))
        .unwrap();
    client.recv(&mut [0; 10]).unwrap();
    let [served, drained] = &last_lines(server)[..] else {
        panic!("two lines");
    };
    assert_eq!(served, "served 3 connections and 1 datagram, 0 failed");
    assert!(
        drained.ends_with(" 0 rejected, 0 force-closed, 0 abandoned"),
        "{drained}"
    );
    assert!(!path.exists());
}

#[test]
fn denied_clients_are_not_served() {
    let own = own_loopback().ip().to_string();
    let listener = format!("tcp://{own}:0");
    for (options, is_served) in [
        (["--deny", "127.0.0.0/8"], false),
        (["--allow", "127.0.0.0/8"], true),
        (["--allow", "192.0.2.0/24"], false),
    ] {
        let (_server, listeners) = listen(&[&listener], &options);
        let mut client = TcpStream::connect(socket_address(&listeners[0])).unwrap();
        let _ = client.write_all(b"hello");
        let answered = client.read_exact(&mut [0; 5]).is_ok();
        assert_eq!(answered, is_served, "{options:?}");
    }
}

#[test]
fn wrong_listeners_are_explained() {
    let wrong = |arguments: &[&str]| Program::example("echo_server", arguments).finish().stderr;
    assert!(wrong(&["--listen", "http://x"]).contains("not tcp://ADDRESS"));
    assert!(wrong(&["--listen", "tcp://x", "--port", "1"]).contains("cannot be used with"));
    assert!(
        wrong(&["--listen", "tls://127.0.0.1:0"]).contains(match cfg!(feature = "tls") {
            true => "needs --tls-cert FILE",
            false => "needs `cargo run --features tls`",
        })
    );
    assert!(wrong(&["--listen", "tcp://127.0.0.1:0", "--deny", "x"]).contains('x'));
    if !cfg!(feature = "proxy-protocol") {
        let options = [
            "--listen",
            "tcp://127.0.0.1:0",
            "--proxy-protocol",
            "127.0.0.1",
        ];
        assert!(wrong(&options).contains("--features proxy-protocol"));
    }
}

#[cfg(all(feature = "tls", feature = "proxy-protocol"))]
#[test]
fn tls_comes_behind_the_header_of_a_proxy() {
    let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates/");
    let [certificate, key] =
        ["server.pem", "server.key"].map(|name| format!("{certificates}{name}"));
    let own = own_loopback().ip();
    let options = [
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--proxy-protocol",
        "127.0.0.0/8",
    ];
    let (server, listeners) = listen(&[&format!("tls://{own}:0")], &options);
    let address = socket_address(&listeners[0]);
    let script = "tests/python/proxied_tls_client.py";
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let authority = format!("{certificates}authority.pem");
    if crate::support::process::python_is_there() {
        let client = Program::python(script, &[&*host, &*port, &*authority]).finish();
        assert_eq!(client.success(), "hello\n");
        let [served, _] = &last_lines(server)[..] else {
            panic!("two lines");
        };
        assert_eq!(served, "served 1 connection and 0 datagrams, 0 failed");
    }
}
