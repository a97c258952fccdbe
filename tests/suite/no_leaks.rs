//! The process has as many threads and descriptors after clients, failures and stops as before.
//!
//! The test has a process of its own, because it counts the threads and descriptors of the whole process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use socketserver::RequestKind;
use socketserver::transport::{Bind, Tcp, Udp, UnixDatagram, UnixStream};
use socketserver::{
    Error, Request, Sequential, Server, Strategy, TcpServer, ThreadPool, Threading, Transport,
};

use crate::support::alone::{apart, test_name};
use crate::support::census::Census;
use crate::support::net::*;
use crate::support::scale::scale;

/// Runs `work` and waits until the process has as many threads and descriptors as at the start of the test. The wait is
/// needed because the kernel lists a thread for a moment after its end.
#[track_caller]
fn leaves_nothing(what: &str, work: impl FnOnce()) {
    static START: OnceLock<Census> = OnceLock::new();
    let before = *START.get_or_init(Census::now);
    work();
    eventually(what, || Census::now() == before);
}

#[test]
fn nothing_is_left_behind() {
    apart(test_name!("nothing_is_left_behind"), look_for_leaks);
}

fn look_for_leaks() {
    expect_panics();
    leaves_nothing("no work leaves nothing", || {});

    macro_rules! all {
        ($($transport:ident by $strategy:ident;)*) => {
            $(
                let name = concat!(stringify!($transport), " by ", stringify!($strategy));
                many_clients::<$transport, $strategy>(name);
                many_servers::<$transport, $strategy>(name);
                failures_and_rejections::<$transport, $strategy>(name);
            )*
        };
    }
    all! {
        Tcp by Sequential;
        Tcp by Threading;
        Tcp by ThreadPool;
        Udp by Sequential;
        Udp by Threading;
        Udp by ThreadPool;
        UnixStream by Sequential;
        UnixStream by Threading;
        UnixStream by ThreadPool;
        UnixDatagram by Sequential;
        UnixDatagram by Threading;
        UnixDatagram by ThreadPool;
    }

    force_closed_clients::<Tcp, Sequential>();
    force_closed_clients::<Tcp, Threading>();
    force_closed_clients::<Tcp, ThreadPool>();
    force_closed_clients::<UnixStream, Threading>();

    failures_to_bind::<Tcp>();
    failures_to_bind::<Udp>();
    failures_to_bind::<UnixStream>();
    failures_to_bind::<UnixDatagram>();
    failures_to_listen();
}

/// Sends back each piece of data that it receives.
fn echo<R: Request>() -> Hooks<R> {
    Hooks::new(|request: &mut R| {
        loop {
            let data = request.recv(64 * 1024)?;
            if data.is_empty() {
                return Ok(());
            }
            request.send_all(&data)?;
        }
    })
}

/// Sends data in one of four ways and checks that every byte comes back.
fn converse(number: usize, client: &Client) {
    let data: Vec<u8> = (0..)
        .map(|n| (n * 31 + number) as u8)
        .take(30_000)
        .collect();
    match number % 4 {
        // At once.
        0 => client.send(&data),
        // In chunks, each after the answer to the last.
        1 => {
            for chunk in data.chunks(1000) {
                client.send(chunk);
                assert!(client.exactly(chunk.len()) == chunk);
            }
        }
        // In chunks, with pauses.
        2 => {
            for chunk in data.chunks(3000) {
                client.send(chunk);
                thread::sleep(Duration::from_millis(1));
            }
        }
        // At once, after a pause.
        _ => {
            thread::sleep(Duration::from_millis(20));
            client.send(&data);
        }
    }
    client.finish();
    let expected = if number % 4 == 1 { &[] } else { &data[..] };
    assert!(
        client.rest() == expected,
        "the answer differs from the data sent"
    );
}

fn many_clients<T: Reachable, M: Strategy + Default>(name: &str) {
    // Fewer clients send datagrams, because the server's receive buffer has to hold the datagrams of all.
    let (clients, requests) = match T::KIND {
        RequestKind::Connection => (scale(40, 200), scale(40, 200)),
        RequestKind::Datagram => (scale(20, 50), scale(20, 50) * 20),
    };
    leaves_nothing(&format!("the clients of {name} leave nothing"), || {
        let host = host_with::<T, M, _, _>(
            echo(),
            |options| options,
            |server| server.grace_period(PATIENCE),
        );
        thread::scope(|scope| {
            for number in 0..clients {
                let host = &host;
                let talk = move || {
                    let client = host.client();
                    match T::KIND {
                        RequestKind::Connection => converse(number, &client),
                        RequestKind::Datagram => {
                            for n in 0..20 {
                                let line = format!("{number} {n}\n");
                                assert_eq!(client.ask(&line), line);
                            }
                        }
                    }
                };
                let thread = thread::Builder::new().stack_size(256 * 1024);
                thread.spawn_scoped(scope, talk).unwrap();
            }
        });
        let handle = host.server.handle();
        let report = host.stop();
        assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
        let stats = handle.stats();
        assert_eq!(stats.completed as usize, requests, "{name}: {stats:?}");
    });
}

fn many_servers<T: Reachable, M: Strategy + Default>(name: &str) {
    leaves_nothing(&format!("many servers of {name} leave nothing"), || {
        for _ in 0..scale(10, 50) {
            let host = host::<T, M, _>(echo());
            assert_eq!(host.client().ask("hello\n"), "hello\n");
            host.stop();
        }
    });
}

fn failures_and_rejections<T: Reachable, M: Strategy + Default>(name: &str) {
    let all = scale(40, 200);
    leaves_nothing(&format!("failures of {name} leave nothing"), || {
        let (senders, kept) = mpsc::channel();
        let service = Hooks::new(move |request: &mut T::Request| {
            // A kept sender does not keep the connection open.
            let _ = senders.send(request.sender());
            match &*request.readline(100)? {
                b"fail\n" => Err("on purpose".into()),
                b"panic\n" => panic!("on purpose"),
                _ => Ok(()),
            }
        });
        let number = AtomicUsize::new(0);
        let service = service.on_verify(move |_| number.fetch_add(1, Ordering::SeqCst) % 4 != 3);
        let host = host::<T, M, _>(service);
        for n in 0..all {
            let command = ["fail\n", "panic\n", "return\n", "be rejected\n"][n % 4];
            // Sending fails if the server has closed the connection already.
            let _ = host.client().try_send(command);
        }
        let handle = host.server.handle();
        eventually("all requests have ended", || {
            let stats = handle.stats();
            (stats.accepted, stats.active) == (all as u64, 0)
        });
        assert_eq!(handle.stats().rejected, all as u64 / 4);
        host.stop();
        drop(kept);
    });
}

fn force_closed_clients<T: Connected, M: Strategy + Default>() {
    leaves_nothing("force-closed clients leave nothing", || {
        for _ in 0..5 {
            let host = host_with::<T, M, _, _>(
                echo(),
                |options| options,
                |server| server.grace_period(Duration::from_millis(10)),
            );
            let clients = [(); 20].map(|()| host.client());
            clients[0].send("hello\n");
            assert_eq!(clients[0].line(), "hello\n");
            let handle = host.server.handle();
            eventually("a request is running", || handle.stats().active > 0);
            assert_eq!(host.stop().abandoned.len(), 0);
            drop(clients);
        }
    });
}

/// CPython's `test_tcpserver_bind_leak`, with an address that is in use.
fn failures_to_bind<T: Reachable + Bind<<T as Transport>::Address>>() {
    leaves_nothing("failures to bind leave nothing", || {
        let dir = TempDir::new();
        let first = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
        let before = Census::now();
        for _ in 0..scale(100, 1024) {
            let address = first.server_address().clone();
            let second = Server::<T, _, Threading>::bind(address, || LineEcho);
            assert!(matches!(second, Err(Error::Bind { .. })));
        }
        assert_eq!(Census::now(), before);
    });
}

fn failures_to_listen() {
    leaves_nothing("failures to listen leave nothing", || {
        for _ in 0..100 {
            let datagrams = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
            let not_listening =
                TcpServer::from_listener(std::net::TcpListener::from(datagrams), || LineEcho);
            assert!(not_listening.is_err());
            let not_bound = TcpServer::options()
                .before_bind(|_| Err(std::io::ErrorKind::Other.into()))
                .bind(LOOPBACK, || LineEcho);
            assert!(not_bound.is_err());
        }
    });
}
