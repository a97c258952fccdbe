//! Threads, processes and stacks that cannot be had: it costs the connection that needed one, which ends
//! in order, and nothing else.
//!
//! The system refuses them: these tests are other users, whom the limit of processes binds, in
//! processes of their own. While it holds, the tests themselves start no threads either.

use std::fs;
use std::io;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rustix::process::Resource;
use socketserver::transport::Tcp;
use socketserver::{
    Coroutines, Error, Handled, Request, RequestHandler, RunningServer, Sequential, Service, Stage,
    Strategy, TcpRequest, TcpServer, ThreadPool, Threading, UdpServer,
};

use crate::support::alone::{alone, drop_root_privileges, limited, test_name};
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;

by_kind!(
    a_request_without_a_thread_ends_in_order,
    others_go_on_meanwhile,
    a_server_without_a_thread_says_so,
    a_single_request_without_a_thread_ends_in_order,
    a_stop_needs_no_thread,
    a_server_is_content_with_fewer_threads,
    a_handler_without_a_stack_ends_in_order,
    what_blocks_needs_no_thread,
);

/// No thread and no process can be started meanwhile.
fn without_threads<R>(work: impl FnOnce() -> R) -> R {
    limited(Resource::Nproc, 0, work)
}

/// One that starts a thread for each request.
fn strategy(kind: Kind) -> Box<dyn Strategy> {
    match kind {
        Kind::Threading => Box::new(Threading::new().keep_alive(Duration::ZERO)),
        kind => kind.strategy(),
    }
}

type Echo = Host<Tcp, Hooks<TcpRequest>, Box<dyn Strategy>>;

fn host_echo(strategy: Box<dyn Strategy>) -> (Echo, Receiver<Failure>) {
    let (service, failures) = Hooks::echo().failures();
    (host_by(strategy, service), failures)
}

#[track_caller]
fn is_served(host: &Echo) {
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    client.finish();
    client.expect_end();
}

/// A client that is turned away, but in order, although it has said something.
#[track_caller]
fn is_lost(host: &Echo, failures: &Receiver<Failure>) {
    let client = host.client();
    client.send("hello\n");
    client.expect_end();
    let failure = next(failures);
    assert_eq!(failure.stage, Stage::ProcessRequest);
    assert!(failure.kind.is_some(), "{failure:?}");
}

/// Checks that every request is in one of the counters.
#[track_caller]
fn expect_counts(host: &Echo, completed: u64, failed: u64) {
    eventually("the requests are over", || host.server.stats().active == 0);
    let stats = host.server.stats();
    let ended = (stats.accepted, stats.completed, stats.failed);
    assert_eq!(ended, (completed + failed, completed, failed), "{stats:?}");
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

// ---- requests ----

fn a_request_without_a_thread_ends_in_order(kind: Kind) {
    let check = test_name!("a_request_without_a_thread_ends_in_order");
    alone(check, kind, || {
        drop_root_privileges();
        let (host, failures) = host_echo(strategy(kind));
        let starts_one = matches!(kind, Kind::Threading | Kind::ThreadPool | Kind::Forking);
        if kind == Kind::Coroutines {
            // Its threads start with the server: this waits for them.
            is_served(&host);
        }
        without_threads(|| {
            for _ in 0..20 {
                if starts_one {
                    is_lost(&host, &failures);
                } else {
                    is_served(&host);
                }
            }
        });
        for _ in 0..20 {
            is_served(&host);
        }
        if starts_one {
            expect_counts(&host, 20, 20);
        } else {
            expect_counts(&host, 40 + u64::from(kind == Kind::Coroutines), 0);
        }
        assert!(failures.try_recv().is_err());
        host.stop();
    });
}

/// Somebody who is being served notices nothing; a pool is a pool while it has a thread.
fn others_go_on_meanwhile(kind: Kind) {
    let check = test_name!("others_go_on_meanwhile");
    alone(check, kind, || {
        drop_root_privileges();
        let (host, failures) = host_echo(strategy(kind));
        let first = host.client();
        assert_eq!(first.ask("one\n"), "one\n");
        without_threads(|| match kind {
            Kind::Threading | Kind::Forking => {
                is_lost(&host, &failures);
                assert_eq!(first.ask("two\n"), "two\n");
                is_lost(&host, &failures);
                first.finish();
                first.expect_end();
            }
            Kind::Coroutines => {
                is_served(&host);
                assert_eq!(first.ask("two\n"), "two\n");
                first.finish();
                first.expect_end();
            }
            // It waits for the only thread there is.
            Kind::Sequential | Kind::ThreadPool => {
                let second = host.client();
                second.send("hello\n");
                assert_eq!(first.ask("two\n"), "two\n");
                first.finish();
                first.expect_end();
                assert_eq!(second.line(), "hello\n");
            }
        });
        is_served(&host);
        host.stop();
    });
}

/// `handle_request` needs a thread where the strategy has none at hand.
fn a_single_request_without_a_thread_ends_in_order(kind: Kind) {
    let check = test_name!("a_single_request_without_a_thread_ends_in_order");
    alone(check, kind, || {
        drop_root_privileges();
        let (service, failures) = Hooks::<TcpRequest>::echo().failures();
        let server = TcpServer::bind(LOOPBACK, service).unwrap();
        let server = server
            .strategy(strategy(kind))
            .handle_request_timeout(PATIENCE);
        let client = |server: &socketserver::Server<Tcp, _, _>| {
            let client = Tcp::connect(server.server_address());
            client.send("hello\n");
            client.finish();
            client
        };
        without_threads(|| {
            let client = client(&server);
            let handled = server.handle_request().unwrap();
            assert_eq!(handled, Handled::Request);
            if kind == Kind::Sequential {
                assert_eq!(client.rest(), b"hello\n");
            } else {
                client.expect_end();
                assert_eq!(next(&failures).stage, Stage::ProcessRequest);
            }
        });
        let client = client(&server);
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        assert_eq!(client.rest(), b"hello\n");
        server.server_close();
    });
}

// ---- servers ----

/// Neither `spawn` nor `serve_forever` leaves anything: the port is free again, the descriptors too.
fn a_server_without_a_thread_says_so(kind: Kind) {
    let check = test_name!("a_server_without_a_thread_says_so");
    alone(check, kind, || {
        drop_root_privileges();
        let bind = |address| {
            let server = TcpServer::bind(address, || LineEcho).unwrap();
            server.strategy(kind.strategy())
        };
        let server = bind(own_loopback());
        let address = *server.server_address();
        let socket = SocketId::of(&server);
        let error = without_threads(|| server.spawn()).unwrap_err();
        assert!(matches!(error, Error::Resources { .. }), "{error:?}");
        assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::WouldBlock);
        assert!(!socket.is_open());

        let server = bind(address);
        if kind == Kind::Coroutines {
            let error = without_threads(|| server.serve_forever()).unwrap_err();
            assert!(matches!(error, Error::Resources { .. }), "{error:?}");
        }
        // It can be had a second time.
        let server = server.spawn().unwrap();
        assert_eq!(Tcp::connect(&address).ask("hello\n"), "hello\n");
        server.stop().unwrap();
    });
}

/// There is nobody to watch over the grace period then: it is over at once.
fn a_stop_needs_no_thread(kind: Kind) {
    let check = test_name!("a_stop_needs_no_thread");
    alone(check, kind, || {
        drop_root_privileges();
        let grace = Duration::from_secs(1);
        let host = host_with::<Tcp, Sequential, _, _>(
            Hooks::<TcpRequest>::echo(),
            |options| options,
            |server| server.strategy(kind.strategy()).grace_period(grace),
        );
        let idle = host.client();
        assert_eq!(idle.ask("hello\n"), "hello\n");
        let handle = host.server.handle();
        let start = Instant::now();
        let report = without_threads(|| host.server.stop()).unwrap();
        // Far more than it takes, far less than for ever.
        assert!(start.elapsed() < PATIENCE);
        idle.expect_end();
        let stats = handle.stats();
        assert_eq!((stats.accepted, stats.force_closed), (1, 1), "{report:?}");
    });
}

fn a_server_is_content_with_fewer_threads(kind: Kind) {
    let check = test_name!("a_server_is_content_with_fewer_threads");
    alone(check, kind, || {
        let root = rustix::process::geteuid().is_root();
        drop_root_privileges();
        // Only then they are counted from nothing.
        if !root {
            return eprintln!("not tested: this needs a user of its own, so root");
        }
        match kind {
            // They start when the server does, so the limit is there until one has served.
            Kind::Coroutines => {
                let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
                let server = server.strategy(Coroutines::new().workers(4));
                has_one_worker(|| server.spawn().unwrap());
            }
            Kind::ThreadPool => {
                let server = UdpServer::bind(own_loopback(), || LineEcho).unwrap();
                let server = server.strategy(ThreadPool::new(4));
                has_one_worker(|| server.spawn().unwrap());
            }
            // The first of two gets its thread.
            Kind::Threading | Kind::Sequential | Kind::Forking => {
                let (host, failures) = host_echo(strategy(kind));
                let before = threads();
                is_served(&host);
                // What has ended goes on for a moment, or was not collected, and counts.
                eventually("the thread ends", || {
                    threads() == before && host.server.stats().active == 0
                });
                limited(Resource::Nproc, before as u64 + 1, || {
                    let first = host.client();
                    assert_eq!(first.ask("one\n"), "one\n");
                    if kind != Kind::Sequential {
                        is_lost(&host, &failures);
                    }
                    assert_eq!(first.ask("two\n"), "two\n");
                });
                host.stop();
            }
        }
    });
}

/// Checks a server that may have two threads: the one of `spawn`, and one that serves.
fn has_one_worker<T: Reachable, S: Service<T::Request>, M: Strategy>(
    spawn: impl FnOnce() -> RunningServer<T, S, M>,
) {
    let most = threads() + 2;
    limited(Resource::Nproc, most as u64, || {
        let server = spawn();
        for _ in 0..3 {
            assert_eq!(
                T::connect(server.server_address()).ask("hello\n"),
                "hello\n"
            );
        }
        assert!(threads() <= most);
        server.stop().unwrap();
    });
}

// ---- memory ----

/// How many bytes of addresses this process has.
fn address_space() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = size.unwrap().trim().strip_suffix(" kB").unwrap();
    1024 * size.parse::<u64>().unwrap()
}

/// Stacks for which there is no room in memory.
fn a_handler_without_a_stack_ends_in_order(kind: Kind) {
    let check = test_name!("a_handler_without_a_stack_ends_in_order");
    alone(check, kind, || {
        const STACK: usize = 1 << 30;
        let strategy: Box<dyn Strategy> = match kind {
            Kind::Threading => {
                let threading = Threading::new().keep_alive(Duration::ZERO);
                Box::new(threading.stack_size(STACK))
            }
            Kind::ThreadPool => Box::new(ThreadPool::new(8).stack_size(STACK)),
            Kind::Coroutines => Box::new(Coroutines::new().workers(2).stack_size(STACK)),
            // They run on the stack of the loop.
            Kind::Sequential | Kind::Forking => kind.strategy(),
        };
        let has_stack = matches!(kind, Kind::Sequential | Kind::Forking);
        let (host, failures) = host_echo(strategy);
        let room = STACK as u64 / 2;
        limited(Resource::As, address_space() + room, || {
            for _ in 0..20 {
                if has_stack {
                    is_served(&host);
                } else {
                    is_lost(&host, &failures);
                }
            }
        });
        is_served(&host);
        if has_stack {
            expect_counts(&host, 21, 0);
        } else {
            expect_counts(&host, 1, 20);
        }
        host.stop();
    });
}

/// A handler that is to go on elsewhere goes on where it is, if there is no such place.
fn what_blocks_needs_no_thread(kind: Kind) {
    struct Elsewhere;

    impl RequestHandler<TcpRequest> for Elsewhere {
        fn handle(&mut self, request: &mut TcpRequest) -> socketserver::Result {
            let line = request.readline(100)?;
            let loud = socketserver::blocking(|| line.to_ascii_uppercase());
            Ok(request.send_all(loud)?)
        }
    }

    let check = test_name!("what_blocks_needs_no_thread");
    alone(check, kind, || {
        drop_root_privileges();
        let host = host_by::<Tcp, _, _>(kind.strategy(), || Elsewhere);
        // The thread that serves, where there are some.
        assert_eq!(host.client().ask("hello\n"), "HELLO\n");
        if matches!(kind, Kind::Sequential | Kind::Coroutines) {
            without_threads(|| {
                for _ in 0..3 {
                    assert_eq!(host.client().ask("hello\n"), "HELLO\n");
                }
            });
        }
        assert_eq!(host.client().ask("hello\n"), "HELLO\n");
        host.stop();
    });
}
