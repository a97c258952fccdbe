//! Checks that run for strategies with and without child processes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use socketserver::transport::{Stream, Tcp};
use socketserver::{Handled, OverloadPolicy, Rejection, Sequential, Server, Strategy};

use super::common::*;
use crate::support::net::*;

// ---- the policies of `max_connections` ----

pub(crate) fn a_rejected_client_sees_the_policy<T: Connected + Stream>(strategy: MakeStrategy) {
    const CAP: usize = 2;
    for policy in rejecting_policies() {
        let limits = |options: Options<_, _>| {
            options
                .max_connections(CAP)
                .at_max_connections(policy.clone())
        };
        let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limits);
        let handle = host.server.handle();
        let watch = Watch::start(handle.clone(), CAP);
        let mut served = fill(&host, CAP);
        for n in 1..=5 {
            expect_rejection(&host, policy.clone());
            assert_eq!(handle.stats().rejected_by.max_connections, n);
            // The served clients notice nothing.
            assert_eq!(served[0].ask("on\n"), "on\n");
        }
        leave(served.pop());
        eventually("one connection has ended", || handle.stats().active == 1);
        served.extend(fill(&host, 1));
        expect_rejection(&host, policy.clone());
        watch.end();
        let stats = handle.stats();
        assert_eq!((stats.accepted, stats.rejected, stats.active), (9, 6, 2));
        adds_up(&handle);
        host.stop();
    }
}

pub(crate) fn clients_are_rejected_when_the_wait_expires<T: Connected + Stream>(
    strategy: MakeStrategy,
) {
    const TIME: Duration = Duration::from_millis(60);
    let limits = |options: Options<_, _>| {
        options
            .max_connections(1)
            .at_max_connections(OverloadPolicy::WaitAtMost(TIME))
    };
    // Before the server starts, because the accept loop reserves the place before it accepts.
    let started = Instant::now();
    let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limits);
    let handle = host.server.handle();
    let served = fill(&host, 1);
    let waiting: Vec<_> = (0..3).map(|_| host.client()).collect();
    for client in &waiting {
        client.expect_end();
        // The limit was reached after `started`, so the time expires no earlier.
        assert!(started.elapsed() >= TIME);
    }
    // The limit has been reached without a break since, so the next client does not wait.
    host.client().expect_end();
    assert_eq!(handle.stats().rejected_by.max_connections, 4);
    let started = Instant::now();
    leave(served);
    eventually("the connection has ended", || handle.stats().active == 0);
    // The time restarts when the limit is reached again.
    let _served = fill(&host, 1);
    host.client().expect_end();
    assert!(started.elapsed() >= TIME);
    adds_up(&handle);
    host.stop();
}

pub(crate) fn clients_are_served_before_the_wait_expires<T: Connected + Stream>(
    strategy: MakeStrategy,
) {
    for time in [2 * PATIENCE, Duration::MAX] {
        let limits = |options: Options<_, _>| {
            options
                .max_connections(1)
                .at_max_connections(OverloadPolicy::WaitAtMost(time))
        };
        let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limits);
        let mut served = fill(&host, 1);
        for _ in 0..3 {
            let next = host.client();
            next.send("hello\n");
            assert_eq!(served[0].ask("on\n"), "on\n");
            leave(served.drain(..));
            assert_eq!(next.line(), "hello\n");
            served.push(next);
        }
        assert_eq!(host.server.handle().stats().rejected, 0);
        host.stop();
    }
}

/// Counts the calls of `service_actions`, one for each iteration of the accept loop: a loop that waits for
/// capacity makes none.
pub(crate) fn a_waiting_loop_does_not_iterate<T: Connected + Stream, M: Strategy>(strategy: M) {
    let iterations: Arc<AtomicUsize> = Arc::default();
    let service = Hooks::<T::Request>::echo().on_actions({
        let iterations = Arc::clone(&iterations);
        move || {
            iterations.fetch_add(1, Ordering::SeqCst);
        }
    });
    let limits = |options: Options<_, _>| {
        options
            .max_connections(1)
            .at_max_connections(OverloadPolicy::WaitAtMost(4 * PATIENCE))
    };
    let adjust = |server: Server<_, _, _>| server.poll_interval(None);
    let host = start_with::<T, _, _>(strategy, service, limits, adjust);
    let served = fill(&host, 1);
    let _waiting = [host.client(), host.client()];
    let before = iterations.load(Ordering::SeqCst);
    let start = Instant::now();
    for _ in 0..100 {
        assert_eq!(served[0].ask("on\n"), "on\n");
        thread::sleep(Duration::from_millis(1));
    }
    let iterations = iterations.load(Ordering::SeqCst) - before;
    // Where the end of a child process wakes no loop, the loop looks for it every 50 ms.
    let looks = start.elapsed().as_millis() as usize / 50;
    assert!(iterations < 10 + looks, "{iterations} iterations");
    host.stop();
}

// ---- `handle_request` ----

/// Binds a server that is not started.
fn bind<T: Connected>(
    dir: &TempDir,
    strategy: MakeStrategy,
    limits: impl FnOnce(Options<T, Hooks<T::Request>>) -> Options<T, Hooks<T::Request>>,
) -> Server<T, Hooks<T::Request>, Box<dyn Strategy>> {
    let options = limits(Server::<T, _, Sequential>::options());
    let server = T::bind(dir, options, Hooks::<T::Request>::echo()).unwrap();
    server.strategy(strategy()).grace_period(GRACE_PERIOD)
}

pub(crate) fn a_limit_counts_under_handle_request<T: Connected + Stream>(strategy: MakeStrategy) {
    const TIME: Duration = Duration::from_millis(50);
    let dir = TempDir::new();
    let server = bind::<T>(&dir, strategy, |options| options.max_connections(1));
    let [first, next] = [(); 2].map(|()| T::connect(server.server_address()));
    let server = in_time(move || {
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        server
    });
    assert_eq!(first.ask("hello\n"), "hello\n");
    next.send("hello\n");
    let mut server = server;
    for time in [TIME, Duration::ZERO, TIME] {
        server = in_time(move || {
            let server = server.handle_request_timeout(time);
            let started = Instant::now();
            assert_eq!(server.handle_request().unwrap(), Handled::Timeout);
            assert!(started.elapsed() >= time);
            server.handle_request_timeout(None)
        });
    }
    // The next call waits until the first connection ends.
    assert_eq!(first.ask("hello\n"), "hello\n");
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let _ = done.send((server.handle_request().unwrap(), server));
    });
    leave([first]);
    let (handled, _server) = crate::support::net::next(&result);
    assert_eq!(handled, Handled::Request);
    assert_eq!(next.line(), "hello\n");
}

/// A rejected connection is a handled request.
pub(crate) fn handle_request_rejects_at_a_limit<T: Connected + Stream>(strategy: MakeStrategy) {
    let dir = TempDir::new();
    let server = bind::<T>(&dir, strategy, |options| {
        options
            .max_connections(1)
            .at_max_connections(Rejection::Close)
    });
    let [first, second] = [(); 2].map(|()| T::connect(server.server_address()));
    let server = in_time(move || {
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        server
    });
    assert_eq!(first.ask("hello\n"), "hello\n");
    in_time(move || assert_eq!(server.handle_request().unwrap(), Handled::Request));
    second.expect_end();
}

pub(crate) fn a_stop_ends_the_wait_of_handle_request<T: Connected + Stream>(
    strategy: MakeStrategy,
) {
    let limits: [fn(Options<_, _>) -> Options<_, _>; 2] = [
        |options| options.max_connections(1),
        |options| options.accept_rate(0.0, 1),
    ];
    for limit in limits {
        let dir = TempDir::new();
        let server = bind::<T>(&dir, strategy, limit);
        let handle = server.handle();
        let clients = [(); 2].map(|()| T::connect(server.server_address()));
        let server = in_time(move || {
            assert_eq!(server.handle_request().unwrap(), Handled::Request);
            server
        });
        let (done, result) = mpsc::channel();
        let thread = thread::spawn(move || {
            let _ = done.send(server.handle_request().unwrap());
        });
        assert_eq!(clients[0].ask("hello\n"), "hello\n");
        handle.shutdown();
        assert_eq!(crate::support::net::next(&result), Handled::Shutdown);
        // The thread drops the server, which rejects the second client. A child process would outlive a
        // test process that exits before the server is dropped.
        in_time(move || thread.join()).unwrap();
        let stats = handle.stats();
        assert_eq!(stats.accepted - stats.rejected, 1);
    }
}

// ---- settings ----

pub(crate) fn a_limit_can_be_changed_and_taken_back<T: Connected + Stream>(strategy: MakeStrategy) {
    let limits = |options: Options<_, _>| {
        let options = options
            .max_connections(1)
            .max_per_client(1)
            .accept_rate(0.0, 0);
        let options = options.max_connections(None).max_per_client(None);
        options.accept_rate(f64::INFINITY, 0)
    };
    let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limits);
    leave(fill(&host, 5));
    host.stop();

    // A limit of 0 is a limit of 1.
    let limits = |options: Options<_, _>| {
        let options = options.max_connections(7);
        let options = options.at_max_connections(Rejection::Close);
        options.max_connections(0).max_per_client(0)
    };
    let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limits);
    let _served = fill(&host, 1);
    host.client().expect_end();
    host.stop();
}

// ---- limits of strategies ----

/// A strategy whose capacity equals the limit of the server does not keep clients waiting that the server
/// has to reject.
pub(crate) fn a_full_strategy_rejects_clients<M: Strategy>(strategy: M) {
    let limits = |options: Options<_, _>| {
        options
            .max_connections(2)
            .at_max_connections(Rejection::Close)
    };
    let host = start::<Tcp, _, _>(strategy, Hooks::echo(), limits);
    let handle = host.server.handle();
    let [first, second] = [host.client(), host.client()];
    eventually("the limit is reached", || handle.stats().active == 2);
    for _ in 0..5 {
        host.client().expect_end();
    }
    // The strategy still serves the accepted clients, and new ones when these have left.
    assert_eq!(first.ask("hello\n"), "hello\n");
    leave([first]);
    assert_eq!(second.ask("hello\n"), "hello\n");
    leave([second]);
    eventually("all connections have ended", || handle.stats().active == 0);
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    assert_eq!(handle.stats().rejected_by.max_connections, 5);
    host.stop();
}

// ---- `max_per_client` ----

pub(crate) fn every_client_has_its_own_share<M: Strategy>(strategy: M, rejection: &Rejection) {
    const SHARE: usize = 2;
    let server = Server::<Tcp, _, Sequential>::options()
        .max_per_client(SHARE)
        .at_max_per_client(rejection.clone())
        .bind("[::]:0", Hooks::echo())
        .unwrap();
    let server = server.strategy(strategy).grace_period(GRACE_PERIOD);
    let server = server.spawn().unwrap();
    let handle = server.handle();
    let port = server.server_address().port();
    // The server sees IPv4 addresses as mapped ones: `::ffff:127.0.0.1`.
    let v4 = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
    let v6 = SocketAddr::new("::1".parse().unwrap(), port);
    let origins = [("127.0.0.1", v4), ("127.0.0.2", v4), ("::1", v6)];
    let mut rejected = 0;
    let mut served = Vec::new();
    for (ip, server) in origins {
        let mut clients = Vec::new();
        for _ in 0..SHARE {
            let client = client_from(ip, server);
            assert_eq!(client.ask("hello\n"), "hello\n");
            clients.push(client);
        }
        served.push(clients);
    }
    for (clients, (ip, server)) in served.iter_mut().zip(origins) {
        for _ in 0..2 {
            expect_rejected::<Tcp>(try_client_from(ip, server), rejection.clone());
            rejected += 1;
            assert_eq!(handle.stats().rejected_by.max_per_client, rejected);
        }
        // After one connection has ended, the next one from that address is served.
        leave(clients.pop());
        let remaining = (3 * SHARE - 1) as u64;
        eventually("the connection has ended", || {
            handle.stats().active == remaining
        });
        let client = client_from(ip, server);
        assert_eq!(client.ask("hello\n"), "hello\n");
        clients.push(client);
        expect_rejected::<Tcp>(try_client_from(ip, server), rejection.clone());
        rejected += 1;
    }
    assert_eq!(handle.stats().rejected, rejected);
    adds_up(&handle);
    in_time(move || server.stop()).unwrap();
}
