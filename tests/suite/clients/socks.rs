//! The SOCKS5 relay, with `curl`.

use std::net::TcpListener;
use std::thread;

use super::*;

fn curl(arguments: &[&str]) -> Finished {
    let mut command = Command::new("curl");
    command.args(["-s", "--noproxy", "", "--max-time", "50"]);
    command.args(arguments);
    Program::start(command).finish()
}

/// Bytes of a client: the greeting, then a request for an address.
fn request(target: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(target) = target else {
        unreachable!("the tests connect by IPv4")
    };
    let port = target.port().to_be_bytes();
    [&[5, 1, 0, 5, 1, 0, 1][..], &target.ip().octets(), &port].concat()
}

/// Answers to such a client: to the greeting, and to the request.
fn answers(reply: u8) -> Vec<u8> {
    vec![5, 0, 5, reply, 0, 1, 0, 0, 0, 0, 0, 0]
}

#[test]
fn curl_fetches_files_through_the_relay() {
    if !is_installed("curl") {
        return;
    }
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut files = Program::example("file_server", &["localhost:0", directory]);
    let port = files.address().port();
    let (relay, address) = serve("socks5_relay", &[]);
    let proxy = address.to_string();
    let expected = include_bytes!("../../../examples/README.md");
    for (option, host) in [
        ("--socks5", "127.0.0.1"),
        ("--socks5-hostname", "127.0.0.1"),
        ("--socks5-hostname", "localhost"),
    ] {
        let url = format!("http://{host}:{port}/README.md");
        let fetched = curl(&[option, &proxy, &url]);
        assert!(fetched.status.success(), "{option} {url}");
        assert_eq!(fetched.stdout, expected, "{option} {url}");
    }
    stop(files);
    // Errors are answers of the relay, which curl turns into its exit status.
    // Another server may have got the port on 127.0.0.1.
    let closed = own_loopback().ip().to_string();
    for (host, reply) in [
        (&*closed, "5"),
        ("192.0.2.1", "2"),
        ("0.0.0.0", "2"),
        ("a.invalid", "4"),
    ] {
        let url = format!("http://{host}:{port}/");
        let failed = curl(&["-S", "--socks5-hostname", &proxy, &url]);
        assert_eq!(failed.status.code(), Some(97), "{url}: {}", failed.stderr);
        assert!(
            failed.stderr.contains(&format!("({reply})")),
            "{url}: {}",
            failed.stderr
        );
    }
    let output = stop(relay);
    assert_eq!(
        output.matches(" is connected to 127.0.0.1:").count(),
        3,
        "{output}"
    );
    assert_eq!(output.matches(" has ended").count(), 3, "{output}");
}

#[test]
fn socks5_relay_connects_to_the_addresses_of_its_list_only() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = target.local_addr().unwrap();
    let (relay, address) = serve("socks5_relay", &["192.0.2.7"]);
    assert_eq!(converse(address, &request(port)), answers(2));
    stop(relay);
    let (relay, address) = serve("socks5_relay", &["192.0.2.7", "127.0.0.1"]);
    let mut client = connect(address);
    client.write_all(&request(port)).unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..], answers(0));
    drop(target);
    drop(client);
    stop(relay);
}

#[test]
fn socks5_relay_passes_on_the_end_of_each_direction() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let (relay, address) = serve("socks5_relay", &[]);
    // The target answers after the end of its client.
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        client.write_all(&received.repeat(2)).unwrap();
    });
    let data = [&request(target)[..], &[b'x'; 300_000]].concat();
    let answer = converse(address, &data);
    assert!(answer == [&answers(0)[..], &[b'x'; 600_000]].concat());
    server.join().unwrap();

    // The target ends first, and goes on reading.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let mut client = connect(address);
    client.write_all(&request(target)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server.write_all(b"end").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [&answers(0)[..], b"end"].concat());
    client.write_all(b"still here").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    server.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"still here");
    stop(relay);
}

#[test]
fn socks5_relay_ends_although_clients_are_connected() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (relay, address) = serve("socks5_relay", &[]);
    let mut client = connect(address);
    client
        .write_all(&request(listener.local_addr().unwrap()))
        .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    stop(relay);
    for end in [&mut client, &mut server] {
        end.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(end.read(&mut [0]).unwrap_or(0), 0);
    }
}
