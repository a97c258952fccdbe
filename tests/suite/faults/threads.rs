//! Threads, child processes and stacks that the system does not provide. Only the connection that needed
//! one is affected, and it ends in order.
//!
//! The tests run in processes of their own, as a user without privileges, because the limit on processes
//! does not apply to root. While the limit is set, the tests themselves start no threads either.

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
    other_requests_continue_meanwhile,
    a_server_without_a_thread_returns_an_error,
    a_single_request_without_a_thread_ends_in_order,
    a_stop_needs_no_thread,
    a_server_works_with_fewer_threads,
    a_handler_without_a_stack_ends_in_order,
    blocking_needs_no_thread,
);

/// Runs `work` while no thread and no process can be started.
fn without_threads<R>(work: impl FnOnce() -> R) -> R {
    limited(Resource::Nproc, 0, work)
}

/// Strategy of a kind. `Threading` starts a thread for each request.
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
fn expect_served(host: &Echo) {
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    client.finish();
    client.expect_end();
}

/// Connects a client that sends a line. Asserts that its connection ends in order, because no thread could
/// be started for it.
#[track_caller]
fn expect_lost(host: &Echo, failures: &Receiver<Failure>) {
    let client = host.client();
    client.send("hello\n");
    client.expect_end();
    let failure = next(failures);
    assert_eq!(failure.stage, Stage::ProcessRequest);
    assert!(failure.kind.is_some(), "{failure:?}");
}

/// Waits for the end of all requests, and asserts that the counters include each.
#[track_caller]
fn expect_counts(host: &Echo, completed: u64, failed: u64) {
    eventually("all requests have ended", || {
        host.server.stats().active == 0
    });
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
            // The worker threads start with the server. This request waits for them.
            expect_served(&host);
        }
        without_threads(|| {
            for _ in 0..20 {
                if starts_one {
                    expect_lost(&host, &failures);
                } else {
                    expect_served(&host);
                }
            }
        });
        for _ in 0..20 {
            expect_served(&host);
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

/// A running request is not affected. A pool works as long as it has a thread.
fn other_requests_continue_meanwhile(kind: Kind) {
    let check = test_name!("other_requests_continue_meanwhile");
    alone(check, kind, || {
        drop_root_privileges();
        let (host, failures) = host_echo(strategy(kind));
        let first = host.client();
        assert_eq!(first.ask("one\n"), "one\n");
        without_threads(|| match kind {
            Kind::Threading | Kind::Forking => {
                expect_lost(&host, &failures);
                assert_eq!(first.ask("two\n"), "two\n");
                expect_lost(&host, &failures);
                first.finish();
                first.expect_end();
            }
            Kind::Coroutines => {
                expect_served(&host);
                assert_eq!(first.ask("two\n"), "two\n");
                first.finish();
                first.expect_end();
            }
            // The second client waits for the only thread.
            Kind::Sequential | Kind::ThreadPool => {
                let second = host.client();
                second.send("hello\n");
                assert_eq!(first.ask("two\n"), "two\n");
                first.finish();
                first.expect_end();
                assert_eq!(second.line(), "hello\n");
            }
        });
        expect_served(&host);
        host.stop();
    });
}

/// `handle_request` needs a thread if the strategy has no idle one.
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

/// After an error, `spawn` leaves neither a bound port nor an open descriptor, and `serve_forever` can be
/// called again.
fn a_server_without_a_thread_returns_an_error(kind: Kind) {
    let check = test_name!("a_server_without_a_thread_returns_an_error");
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
        // A second attempt succeeds.
        let server = server.spawn().unwrap();
        assert_eq!(Tcp::connect(&address).ask("hello\n"), "hello\n");
        server.stop().unwrap();
    });
}

/// Without a thread that waits for the grace period, the grace period ends at once.
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
        assert!(start.elapsed() < PATIENCE);
        idle.expect_end();
        let stats = handle.stats();
        assert_eq!((stats.accepted, stats.force_closed), (1, 1), "{report:?}");
    });
}

fn a_server_works_with_fewer_threads(kind: Kind) {
    let check = test_name!("a_server_works_with_fewer_threads");
    alone(check, kind, || {
        let root = rustix::process::geteuid().is_root();
        drop_root_privileges();
        // As another user than root, the process has a thread count of its own.
        if !root {
            return eprintln!("not tested: only root can change to another user");
        }
        match kind {
            // The worker threads start with the server, so the limit applies from then on.
            Kind::Coroutines => {
                let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
                let server = server.strategy(Coroutines::new().workers(4));
                serves_with_one_worker(|| server.spawn().unwrap());
            }
            Kind::ThreadPool => {
                let server = UdpServer::bind(own_loopback(), || LineEcho).unwrap();
                let server = server.strategy(ThreadPool::new(4));
                serves_with_one_worker(|| server.spawn().unwrap());
            }
            // Of two requests, the first one gets a thread.
            Kind::Threading | Kind::Sequential | Kind::Forking => {
                let (host, failures) = host_echo(strategy(kind));
                let before = threads();
                expect_served(&host);
                // An ended thread exists for a moment longer, and a child process until it is reaped.
                // Both count.
                eventually("the thread ends", || {
                    threads() == before && host.server.stats().active == 0
                });
                limited(Resource::Nproc, before as u64 + 1, || {
                    let first = host.client();
                    assert_eq!(first.ask("one\n"), "one\n");
                    if kind != Kind::Sequential {
                        expect_lost(&host, &failures);
                    }
                    assert_eq!(first.ask("two\n"), "two\n");
                });
                host.stop();
            }
        }
    });
}

/// Asserts that a server works with two threads: the thread of `spawn` and one worker.
fn serves_with_one_worker<T: Reachable, S: Service<T::Request>, M: Strategy>(
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

/// Size of the address space of this process, in bytes.
fn address_space() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = size.unwrap().trim().strip_suffix(" kB").unwrap();
    1024 * size.parse::<u64>().unwrap()
}

/// The stacks do not fit into the address space.
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
            // The handlers run on the stack of the accept loop.
            Kind::Sequential | Kind::Forking => kind.strategy(),
        };
        let has_stack = matches!(kind, Kind::Sequential | Kind::Forking);
        let (host, failures) = host_echo(strategy);
        let room = STACK as u64 / 2;
        limited(Resource::As, address_space() + room, || {
            for _ in 0..20 {
                if has_stack {
                    expect_served(&host);
                } else {
                    expect_lost(&host, &failures);
                }
            }
        });
        expect_served(&host);
        if has_stack {
            expect_counts(&host, 21, 0);
        } else {
            expect_counts(&host, 1, 20);
        }
        host.stop();
    });
}

/// `blocking` runs its closure on the current thread if no other thread can be started.
fn blocking_needs_no_thread(kind: Kind) {
    struct Shout;

    impl RequestHandler<TcpRequest> for Shout {
        fn handle(&mut self, request: &mut TcpRequest) -> socketserver::Result {
            let line = request.readline(100)?;
            let loud = socketserver::blocking(|| line.to_ascii_uppercase());
            Ok(request.send_all(loud)?)
        }
    }

    let check = test_name!("blocking_needs_no_thread");
    alone(check, kind, || {
        drop_root_privileges();
        let host = host_by::<Tcp, _, _>(kind.strategy(), || Shout);
        // This request starts the thread that serves, if the strategy has threads.
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
