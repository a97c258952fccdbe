//! Error reports on stderr.

use super::*;

use std::ffi::OsStr;
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt;

use socket2::{Domain, SockAddr, Socket, Type};
use socketserver::UnixAddress;

/// Fails in the way that the client's line names.
struct Failing;

impl<R: Request> RequestHandler<R> for Failing {
    fn handle(&mut self, request: &mut R) -> Result {
        match &*request.readline(100)? {
            b"fail\n" => Err(Outer(io::Error::other("inner")).into()),
            b"panic\n" => panic!("no way"),
            // An error that quotes the client's input, and ends before its line end.
            line if line.starts_with(b"quote ") => {
                Err(str::from_utf8(line)?.trim_end_matches('\n').into())
            }
            _ => Ok(request.read_exact(&mut [0; 100])?),
        }
    }
}

/// Runs servers whose errors are printed, and prints the ports of the clients on stdout.
#[test]
#[ignore = "is run in a process of its own, by `errors_are_printed_as_python_does`"]
fn the_process_that_prints_errors() {
    if !is_alone(test_name!("the_process_that_prints_errors")) {
        return;
    }
    // Without the output of the panic hook, stderr contains only the reports of the server.
    std::panic::set_hook(Box::new(|_| {}));
    let server = TcpServer::bind(LOOPBACK, || Failing).unwrap();
    let server = server.spawn().unwrap();
    for order in ["fail", "panic", "leave", "reset"] {
        let client = Tcp::connect(server.server_address());
        println!(
            "client {}",
            client
                .socket()
                .local_addr()
                .unwrap()
                .as_socket()
                .unwrap()
                .port()
        );
        client.send(format!("{order}\n123"));
        match order {
            "leave" => client.finish(),
            "reset" => {
                client.socket().set_linger(Some(Duration::ZERO)).unwrap();
                continue;
            }
            _ => {}
        }
        client.expect_end();
    }
    server.stop().unwrap();

    #[cfg(unix)]
    fail_unix_clients();
}

#[cfg(unix)]
fn fail_unix_clients() {
    let dir = TempDir::new();
    let server = UnixStreamServer::bind(dir.socket(), || Failing).unwrap();
    let server = server.spawn().unwrap();
    let client = socketserver::transport::UnixStream::connect(server.server_address());
    client.send("fail\n");
    client.expect_end();

    let client = hostile_unix_client(&dir, server.server_address());
    client.send("quote \u{1b}[2J\r\u{9b}2J\u{202e}\u{2028}forged\n");
    client.expect_end();
    server.stop().unwrap();
}

/// Connects a client whose path has control characters and a line of a report.
#[cfg(unix)]
fn hostile_unix_client(dir: &TempDir, server: &UnixAddress) -> Client {
    let path = dir.socket();
    let path = [path.as_os_str().as_bytes(), HOSTILE].concat();
    let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    client
        .bind(&SockAddr::unix(OsStr::from_bytes(&path)).unwrap())
        .unwrap();
    let server = SockAddr::unix(server.as_path().unwrap()).unwrap();
    client.connect(&server).unwrap();
    Client::new(client)
}

const HOSTILE: &[u8] = b"\n----\x1b[2J\xc2\x9b\xe2\x80\xae\xff";
const HOSTILE_ESCAPED: &str = r"\n----\u{1b}[2J\u{9b}\u{202e}\xff";

/// The text of a report of a stop, with the address of a force-closed client, is a line for the stop and one for
/// the client.
#[cfg(unix)]
#[test]
fn the_report_of_a_stop_escapes_names_of_clients() {
    let host = host_with::<socketserver::transport::UnixStream, Threading, _, _>(
        Hooks::echo(),
        |options| options,
        |server| server.grace_period(Duration::ZERO),
    );
    let dir = TempDir::new();
    let client = hostile_unix_client(&dir, host.server.server_address());
    let handle = host.server.handle();
    eventually("the request is listed", || handle.requests().len() == 1);
    let request = handle.requests()[0].to_string();
    assert!(request.contains(HOSTILE_ESCAPED), "{request}");
    let report = host.stop().to_string();
    assert_eq!(report.lines().count(), 2, "{report}");
    assert!(report.contains(HOSTILE_ESCAPED), "{report}");
    client.expect_end();
}

#[test]
fn errors_are_printed_as_python_does() {
    let ended = run(test_name!("the_process_that_prints_errors"));
    let (stdout, stderr) = (ended.text(), &ended.stderr);

    let ports: Vec<_> = stdout
        .lines()
        .filter_map(|line| line.split_once("client "))
        .map(|(_, port)| port)
        .collect();
    let [failed, panicked, _left, _reset] = ports[..] else {
        panic!("{stdout}");
    };
    // In Python the traceback is between the dashes.
    let dashes = "-".repeat(40);
    let report = |from: &str, what: &str| {
        format!(
            "{dashes}\nException occurred during processing of request from {from}\n\
             {what}\n{dashes}\n"
        )
    };
    let outer = "handle failed: outer\ncaused by: inner";
    let expected = [
        report(&format!("('127.0.0.1', {failed})"), outer),
        report(
            &format!("('127.0.0.1', {panicked})"),
            "handle panicked: no way",
        ),
        // No report for the clients that disconnected. The next one is a Unix client.
        #[cfg(unix)]
        report("", outer),
    ];
    let rest = stderr.strip_prefix(&expected.concat()).expect(stderr);
    #[cfg(unix)]
    expect_escaped(rest);
    #[cfg(not(unix))]
    assert_eq!(rest, "");
}

/// Checks the report of the last Unix client.
#[cfg(unix)]
#[track_caller]
fn expect_escaped(rest: &str) {
    let dashes = "-".repeat(40);
    // The path of the client, and its input, are escaped.
    let lines: Vec<_> = rest.lines().collect();
    let [first, from, what, last] = lines[..] else {
        panic!("{rest}");
    };
    assert_eq!((first, last), (&*dashes, &*dashes));
    assert!(from.ends_with(HOSTILE_ESCAPED), "{from}");
    let quoted = r"quote \u{1b}[2J\r\u{9b}2J\u{202e}\u{2028}forged";
    assert_eq!(what, format!("handle failed: {quoted}"));
}
