//! Error reports on stderr.

use super::*;

/// Fails in the way that the client's line names.
struct Failing;

impl<R: Request> RequestHandler<R> for Failing {
    fn handle(&mut self, request: &mut R) -> Result {
        match &*request.readline(100)? {
            b"fail\n" => Err(Outer(io::Error::other("inner")).into()),
            b"panic\n" => panic!("no way"),
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

    let dir = TempDir::new();
    let server = UnixStreamServer::bind(dir.socket(), || Failing).unwrap();
    let server = server.spawn().unwrap();
    let client = socketserver::transport::UnixStream::connect(server.server_address());
    client.send("fail\n");
    client.expect_end();
    server.stop().unwrap();
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
        // No report for the clients that disconnected.
        report("", outer),
    ];
    assert_eq!(*stderr, expected.concat());
}
