//! Refusing to fork.

use super::*;

#[test]
fn forking_is_refused_where_other_threads_may_hold_locks() {
    let (service, failures) = Hooks::<TcpRequest>::new(answer_pids).failures();
    // The thread of this test and those of libtest do not belong to the library.
    let host = host_by::<Tcp, _, _>(Forking::new(), service);
    for _ in 0..3 {
        host.client().expect_end();
        let failure = next(&failures);
        assert_eq!(failure.stage, Stage::ProcessRequest);
        for word in [
            "refused to fork",
            "thread",
            "serve_forever",
            "new_unchecked",
        ] {
            assert!(failure.text.contains(word), "{}", failure.text);
        }
    }
    let handle = host.server.handle();
    host.stop();
    assert_eq!((handle.stats().accepted, handle.stats().failed), (3, 3));
}

/// All threads of the program belong to the library: two accept loops, and the thread that waits for signals.
#[test]
fn forking_is_allowed_beside_threads_of_the_library_that_wait() {
    let host = own_loopback().ip().to_string();
    let options = ["--strategy", "forking", "--port", "0", "--host", &host];
    let mut server = Program::example("echo_server", &options);
    let address = server.address();
    let udp = Client::new({
        let socket = std::net::UdpSocket::bind(LOOPBACK).unwrap();
        socket.connect(address).unwrap();
        socket
    });
    // At the same time, so that each loop forks while the other is at any point of its work.
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..10 {
                let tcp = Client::new(std::net::TcpStream::connect(address).unwrap());
                assert_eq!(tcp.ask(&format!("tcp {n}\n")), format!("tcp {n}\n"));
            }
        });
        for n in 0..10 {
            assert_eq!(udp.ask(&format!("udp {n}\n")), format!("udp {n}\n"));
        }
    });
    // Two signals end the child process, and do not stop the parent.
    let client = Client::new(std::net::TcpStream::connect(address).unwrap());
    client.ask("hello\n");
    eventually("only the child of this connection is left", || {
        children_of(server.id()).len() == 1
    });
    let child = children_of(server.id())[0];
    kill(child, Signal::SIGTERM).unwrap();
    assert_eq!(client.ask("still there\n"), "still there\n");
    thread::sleep(REPETITION);
    kill(child, Signal::SIGTERM).unwrap();
    client.expect_end();
    let client = Client::new(std::net::TcpStream::connect(address).unwrap());
    assert_eq!(client.ask("still there\n"), "still there\n");
    drop(client);
    eventually("no child is left", || children_of(server.id()).is_empty());

    server.signal(Signal::SIGINT);
    let server = server.finish();
    let summary = server.success().lines().rev().nth(1);
    assert_eq!(
        summary,
        Some("served 11 connections and 10 datagrams, 0 failed, 1 force-closed"),
        "{}",
        server.stderr
    );
}
