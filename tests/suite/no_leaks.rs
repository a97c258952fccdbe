//! After any number of clients, failures and stops, the threads and descriptors of the process are
//! as many as before.
//!
//! A process of its own, because those of the whole process are counted.

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

/// Runs `work` and waits until everything is as it was at the start of the test. Threads end a
/// moment after the last that can be seen of them.
#[track_caller]
fn leaves_nothing(what: &str, work: impl FnOnce()) {
    static AT_THE_START: OnceLock<Census> = OnceLock::new();
    let before = *AT_THE_START.get_or_init(Census::now);
    work();
    eventually(what, || Census::now() == before);
}

#[test]
fn nothing_is_left_behind() {
    apart(test_name!("nothing_is_left_behind"), look_for_leaks);
}

fn look_for_leaks() {
    expect_panics();
    leaves_nothing("no trace of nothing", || {});

    macro_rules! all {
        ($($transport:ident by $strategy:ident;)*) => {
            $(
                let name = concat!(stringify!($transport), " by ", stringify!($strategy));
                by_many_clients::<$transport, $strategy>(name);
                by_servers_that_come_and_go::<$transport, $strategy>(name);
                by_failures_and_refusals::<$transport, $strategy>(name);
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

    by_clients_that_are_cut_off::<Tcp, Sequential>();
    by_clients_that_are_cut_off::<Tcp, Threading>();
    by_clients_that_are_cut_off::<Tcp, ThreadPool>();
    by_clients_that_are_cut_off::<UnixStream, Threading>();

    by_failures_to_bind::<Tcp>();
    by_failures_to_bind::<Udp>();
    by_failures_to_bind::<UnixStream>();
    by_failures_to_bind::<UnixDatagram>();
    by_failures_to_listen();
}

/// Answers whatever comes, as it comes.
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

/// What one client does; every byte has to come back.
fn converse(number: usize, client: &Client) {
    let data: Vec<u8> = (0..)
        .map(|n| (n * 31 + number) as u8)
        .take(30_000)
        .collect();
    match number % 4 {
        // All of it at once.
        0 => client.send(&data),
        // Bit by bit, waiting for each.
        1 => {
            for chunk in data.chunks(1000) {
                client.send(chunk);
                assert!(client.exactly(chunk.len()) == chunk);
            }
        }
        // Bit by bit, now and then.
        2 => {
            for chunk in data.chunks(3000) {
                client.send(chunk);
                thread::sleep(Duration::from_millis(1));
            }
        }
        // Nothing for a while.
        _ => {
            thread::sleep(Duration::from_millis(20));
            client.send(&data);
        }
    }
    client.finish();
    let expected = if number % 4 == 1 { &[] } else { &data[..] };
    assert!(client.rest() == expected, "not what was sent");
}

fn by_many_clients<T: Reachable, M: Strategy + Default>(name: &str) {
    // Datagrams of so many at a time might not fit into the server's receive buffer.
    let (clients, requests) = match T::KIND {
        RequestKind::Connection => (scale(40, 200), scale(40, 200)),
        RequestKind::Datagram => (scale(20, 50), scale(20, 50) * 20),
    };
    leaves_nothing(&format!("no trace of the clients of {name}"), || {
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

fn by_servers_that_come_and_go<T: Reachable, M: Strategy + Default>(name: &str) {
    leaves_nothing(&format!("no trace of many servers, {name}"), || {
        for _ in 0..scale(10, 50) {
            let host = host::<T, M, _>(echo());
            assert_eq!(host.client().ask("hello\n"), "hello\n");
            host.stop();
        }
    });
}

fn by_failures_and_refusals<T: Reachable, M: Strategy + Default>(name: &str) {
    let all = scale(40, 200);
    leaves_nothing(&format!("no trace of what failed, {name}"), || {
        let (seen, kept) = mpsc::channel();
        let service = Hooks::new(move |request: &mut T::Request| {
            // A sender that is kept keeps nothing else.
            let _ = seen.send(request.sender());
            match &*request.readline(100)? {
                b"fail\n" => Err("on purpose".into()),
                b"panic\n" => panic!("on purpose"),
                _ => Ok(()),
            }
        });
        let turn = AtomicUsize::new(0);
        let service = service.on_verify(move |_| turn.fetch_add(1, Ordering::SeqCst) % 4 != 3);
        let host = host::<T, M, _>(service);
        for n in 0..all {
            let how = ["fail\n", "panic\n", "leave\n", "be refused\n"][n % 4];
            // Without waiting for the end, which may come first.
            let _ = host.client().try_send(how);
        }
        let handle = host.server.handle();
        eventually("all are over", || {
            let stats = handle.stats();
            (stats.accepted, stats.active) == (all as u64, 0)
        });
        assert_eq!(handle.stats().rejected, all as u64 / 4);
        host.stop();
        drop(kept);
    });
}

fn by_clients_that_are_cut_off<T: Connected, M: Strategy + Default>() {
    leaves_nothing("no trace of the clients that were cut off", || {
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
            eventually("one is running", || handle.stats().active > 0);
            assert_eq!(host.stop().abandoned.len(), 0);
            drop(clients);
        }
    });
}

/// CPython's `test_tcpserver_bind_leak` (T15), with an address that is in use.
fn by_failures_to_bind<T: Reachable + Bind<<T as Transport>::Address>>() {
    leaves_nothing("no trace of addresses in use", || {
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

fn by_failures_to_listen() {
    leaves_nothing("no trace of sockets that cannot listen", || {
        for _ in 0..100 {
            let datagrams = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
            let not_bound =
                TcpServer::from_listener(std::net::TcpListener::from(datagrams), || LineEcho);
            assert!(not_bound.is_err());
            let closed = TcpServer::options()
                .before_bind(|_| Err(std::io::ErrorKind::Other.into()))
                .bind(LOOPBACK, || LineEcho);
            assert!(closed.is_err());
        }
    });
}
