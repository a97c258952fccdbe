//! What both files of tests of limits have: with processes, and without.

// Each of the two uses its own part of this.
#![allow(dead_code)]

use std::any::TypeId;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use socketserver::transport::{Stream, Tcp};
use socketserver::{
    Handled, OverloadPolicy, Request, Sequential, Server, ServerHandle, Service, Strategy,
};

use crate::support::net::*;

pub(crate) type AnyStrategy = fn() -> Box<dyn Strategy>;

/// Starts a server that does not wait long for those who are still there when it is stopped.
pub(crate) fn start<T: Connected, S: Service<T::Request>, M: Strategy>(
    strategy: M,
    service: S,
    limit: impl FnOnce(Server<T, S, M>) -> Server<T, S, M>,
) -> Host<T, S, M> {
    host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| {
            limit(
                server
                    .strategy(strategy)
                    .grace_period(Duration::from_millis(20)),
            )
        },
    )
}

/// Watches a server until it is dropped: it never has more than so many.
pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<u64>>,
    most: u64,
}

impl Watch {
    pub(crate) fn over(handle: ServerHandle, most: usize) -> Self {
        let over: Arc<AtomicBool> = Arc::default();
        let thread = thread::spawn({
            let over = Arc::clone(&over);
            move || {
                let mut seen = 0;
                while !over.load(Ordering::SeqCst) {
                    seen = seen.max(handle.stats().active);
                    thread::yield_now();
                }
                seen
            }
        });
        Self {
            over,
            thread: Some(thread),
            most: most as u64,
        }
    }

    #[track_caller]
    pub(crate) fn end(mut self) {
        self.over.store(true, Ordering::SeqCst);
        let seen = self.thread.take().unwrap().join().unwrap();
        assert!(seen <= self.most, "{seen} of {} at once", self.most);
    }
}

#[track_caller]
pub(crate) fn adds_up(handle: &ServerHandle) {
    let stats = handle.stats();
    let ended =
        stats.completed + stats.failed + stats.force_closed + stats.dropped + stats.rejected;
    assert_eq!(stats.accepted, ended + stats.active, "{stats:?}");
    let by = stats.rejected_by;
    let refused = by.verify_request
        + by.strategy
        + by.max_connections
        + by.max_per_client
        + by.accept_rate
        + by.descriptors
        + by.closing;
    assert_eq!(stats.rejected, refused, "{stats:?}");
}

/// A factory of [`LineEcho`]s that has a name.
pub(crate) struct LineEchoes;

impl<R: Request> Service<R> for LineEchoes {
    type Handler = LineEcho;

    fn request_handler(self: &Arc<Self>) -> LineEcho {
        LineEcho
    }
}

// ---- what becomes of the others ----

/// Takes all places of a server, and has each of these clients served once.
#[track_caller]
pub(crate) fn fill<T: Connected, S: Service<T::Request>, M: Strategy>(
    host: &Host<T, S, M>,
    places: usize,
) -> Vec<Client> {
    let inside: Vec<_> = (0..places).map(|_| host.client()).collect();
    for client in &inside {
        assert_eq!(client.ask("first\n"), "first\n");
    }
    inside
}

/// Has clients end their side, and closes them. Children of this process may have copies of their sockets.
pub(crate) fn leave(clients: impl IntoIterator<Item = Client>) {
    for client in clients {
        client.finish();
    }
}

/// What a client gets that is turned away like that.
#[track_caller]
pub(crate) fn expect_turned_away<T: Connected>(client: &Client, policy: &OverloadPolicy) {
    match policy {
        Rejection::Message(farewell) => assert_eq!(client.rest(), *farewell),
        Rejection::Reset if TypeId::of::<T>() == TypeId::of::<Tcp>() => {
            let error = client.try_receive().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        _ => client.expect_end(),
    }
}

pub(crate) fn policies() -> [OverloadPolicy; 5] {
    [
        Rejection::Close,
        Rejection::Message(b"421 too busy\r\n".to_vec()),
        Rejection::Message(Vec::new()),
        Rejection::Reset,
        OverloadPolicy::WaitAtMost(Duration::ZERO),
    ]
}

pub(crate) fn who_is_turned_away_sees_how<T: Connected + Stream>(strategy: AnyStrategy) {
    const CAP: usize = 2;
    for policy in policies() {
        let limit = |server: Server<_, _, _>| {
            server
                .max_connections(CAP)
                .at_max_connections(policy.clone())
        };
        let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limit);
        let handle = host.server.handle();
        let watch = Watch::over(handle.clone(), CAP);
        let mut inside = fill(&host, CAP);
        for n in 1..=5 {
            expect_turned_away::<T>(&host.client(), &policy);
            assert_eq!(handle.stats().rejected_by.max_connections, n);
            // It is of no concern to those who are inside.
            assert_eq!(inside[0].ask("on\n"), "on\n");
        }
        leave(inside.pop());
        eventually("one is gone", || handle.stats().active == 1);
        inside.extend(fill(&host, 1));
        expect_turned_away::<T>(&host.client(), &policy);
        watch.end();
        let stats = handle.stats();
        assert_eq!((stats.accepted, stats.rejected, stats.active), (9, 6, 2));
        adds_up(&handle);
        host.stop();
    }
}

pub(crate) fn who_has_waited_for_too_long_is_turned_away<T: Connected + Stream>(
    strategy: AnyStrategy,
) {
    const TIME: Duration = Duration::from_millis(60);
    let limit = |server: Server<_, _, _>| {
        server
            .max_connections(1)
            .at_max_connections(OverloadPolicy::WaitAtMost(TIME))
    };
    let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limit);
    let handle = host.server.handle();
    let started = Instant::now();
    let inside = fill(&host, 1);
    let waiting: Vec<_> = (0..3).map(|_| host.client()).collect();
    for client in &waiting {
        client.expect_end();
        // No earlier: the place was not taken before `started`.
        assert!(started.elapsed() >= TIME);
    }
    // Nothing has changed since: nobody waits any more.
    host.client().expect_end();
    assert_eq!(handle.stats().rejected_by.max_connections, 4);
    leave(inside);
    eventually("it is gone", || handle.stats().active == 0);
    // Now the time begins anew.
    let started = Instant::now();
    let _inside = fill(&host, 1);
    host.client().expect_end();
    assert!(started.elapsed() >= TIME);
    adds_up(&handle);
    host.stop();
}

pub(crate) fn who_may_wait_for_long_is_served<T: Connected + Stream>(strategy: AnyStrategy) {
    for time in [2 * PATIENCE, Duration::MAX] {
        let limit = |server: Server<_, _, _>| {
            server
                .max_connections(1)
                .at_max_connections(OverloadPolicy::WaitAtMost(time))
        };
        let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limit);
        let mut inside = fill(&host, 1);
        for _ in 0..3 {
            let next = host.client();
            next.send("hello\n");
            assert_eq!(inside[0].ask("on\n"), "on\n");
            leave(inside.drain(..));
            assert_eq!(next.line(), "hello\n");
            inside.push(next);
        }
        assert_eq!(host.server.handle().stats().rejected, 0);
        host.stop();
    }
}

/// Where a loop waits, it does nothing: it calls `service_actions` after every turn.
pub(crate) fn a_loop_that_waits_takes_no_turns<T: Connected + Stream, M: Strategy>(strategy: M) {
    let turns: Arc<AtomicUsize> = Arc::default();
    let service = Hooks::<T::Request>::echo().on_actions({
        let turns = Arc::clone(&turns);
        move || {
            turns.fetch_add(1, Ordering::SeqCst);
        }
    });
    let limit = |server: Server<_, _, _>| {
        let server = server.max_connections(1).poll_interval(None);
        server.at_max_connections(OverloadPolicy::WaitAtMost(4 * PATIENCE))
    };
    let host = start::<T, _, _>(strategy, service, limit);
    let inside = fill(&host, 1);
    let _waiting = [host.client(), host.client()];
    let before = turns.load(Ordering::SeqCst);
    for _ in 0..100 {
        assert_eq!(inside[0].ask("on\n"), "on\n");
        thread::sleep(Duration::from_millis(1));
    }
    let turns = turns.load(Ordering::SeqCst) - before;
    assert!(turns < 10, "{turns} turns");
    host.stop();
}

// ---- one call at a time ----

pub(crate) fn a_limit_counts_under_handle_request<T: Connected + Stream>(strategy: AnyStrategy) {
    const TIME: Duration = Duration::from_millis(50);
    let dir = TempDir::new();
    let options = Server::<T, _, Sequential>::options();
    let server = T::bind(&dir, options, Hooks::<T::Request>::echo()).unwrap();
    let server = server.strategy(strategy()).max_connections(1);
    let server = server.grace_period(Duration::from_millis(20));
    let [inside, next] = [(); 2].map(|()| T::connect(server.server_address()));
    let server = in_time(move || {
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        server
    });
    assert_eq!(inside.ask("hello\n"), "hello\n");
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
    // The end of the first is what the next call waits for.
    assert_eq!(inside.ask("hello\n"), "hello\n");
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let _ = done.send((server.handle_request().unwrap(), server));
    });
    leave([inside]);
    let (handled, server) = crate::support::net::next(&result);
    assert_eq!(handled, Handled::Request);
    assert_eq!(next.line(), "hello\n");
    // One that is turned away is a request that was handled.
    let server = server.at_max_connections(Rejection::Close);
    let third = T::connect(server.server_address());
    in_time(move || assert_eq!(server.handle_request().unwrap(), Handled::Request));
    third.expect_end();
}

pub(crate) fn a_stop_ends_the_wait_of_handle_request<T: Connected + Stream>(strategy: AnyStrategy) {
    let limits: [fn(_) -> _; 2] = [
        |server: Server<T, _, _>| server.max_connections(1),
        |server: Server<T, _, _>| server.accept_rate(0.0, 1),
    ];
    for limit in limits {
        let dir = TempDir::new();
        let options = Server::<T, _, Sequential>::options();
        let server = T::bind(&dir, options, Hooks::<T::Request>::echo()).unwrap();
        let server = limit(
            server
                .strategy(strategy())
                .grace_period(Duration::from_millis(20)),
        );
        let handle = server.handle();
        let clients = [(); 2].map(|()| T::connect(server.server_address()));
        let server = in_time(move || {
            assert_eq!(server.handle_request().unwrap(), Handled::Request);
            server
        });
        let (done, result) = mpsc::channel();
        thread::spawn(move || done.send(server.handle_request().unwrap()));
        assert_eq!(clients[0].ask("hello\n"), "hello\n");
        handle.shutdown();
        assert_eq!(crate::support::net::next(&result), Handled::Shutdown);
        // The other may have been turned away by now, as the server is closed.
        let stats = handle.stats();
        assert_eq!(stats.accepted - stats.rejected, 1);
    }
}

// ---- how many of one client ----

/// A client with this address.
#[track_caller]
pub(crate) fn client_from(ip: &str, server: SocketAddr) -> Client {
    let own = SocketAddr::new(ip.parse().unwrap(), 0);
    let socket = Socket::new(Domain::for_address(own), Type::STREAM, None).unwrap();
    socket.bind(&own.into()).unwrap();
    socket.connect(&server.into()).unwrap();
    Client::new(TcpStream::from(socket))
}

pub(crate) fn a_limit_can_be_changed_and_taken_back<T: Connected + Stream>(strategy: AnyStrategy) {
    let limit = |server: Server<_, _, _>| {
        let server = server
            .max_connections(1)
            .max_per_client(1)
            .accept_rate(0.0, 0);
        let server = server.max_connections(None).max_per_client(None);
        server.accept_rate(f64::INFINITY, 0)
    };
    let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limit);
    leave(fill(&host, 5));
    host.stop();

    // None is taken as one.
    let limit = |server: Server<_, _, _>| {
        let server = server
            .max_connections(7)
            .at_max_connections(Rejection::Close);
        server.max_connections(0).max_per_client(0)
    };
    let host = start::<T, _, _>(strategy(), Hooks::<T::Request>::echo(), limit);
    let _inside = fill(&host, 1);
    host.client().expect_end();
    host.stop();
}

/// A strategy that is as full as the server must not keep those waiting who are to be turned away.
pub(crate) fn a_full_strategy_turns_clients_away<M: Strategy>(strategy: M) {
    let limit = |server: Server<_, _, _>| {
        server
            .max_connections(2)
            .at_max_connections(Rejection::Close)
    };
    let host = start::<Tcp, _, _>(strategy, Hooks::echo(), limit);
    let handle = host.server.handle();
    let inside = [host.client(), host.client()];
    eventually("it is full", || handle.stats().active == 2);
    for _ in 0..5 {
        host.client().expect_end();
    }
    // And takes clients in again, with its own limits.
    let [first, second] = inside;
    assert_eq!(first.ask("hello\n"), "hello\n");
    leave([first]);
    assert_eq!(second.ask("hello\n"), "hello\n");
    leave([second]);
    eventually("all are gone", || handle.stats().active == 0);
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    assert_eq!(handle.stats().rejected_by.max_connections, 5);
    host.stop();
}

pub(crate) fn every_client_has_its_own_share<M: Strategy>(strategy: M, policy: &OverloadPolicy) {
    const SHARE: usize = 2;
    let dir = TempDir::new();
    let options = Server::<Tcp, _, Sequential>::options();
    let server = options.bind("[::]:0", Hooks::echo()).unwrap();
    let server = server
        .strategy(strategy)
        .grace_period(Duration::from_millis(20));
    let server = server
        .max_per_client(SHARE)
        .at_max_per_client(policy.clone());
    let server = server.spawn().unwrap();
    drop(dir);
    let handle = server.handle();
    let port = server.server_address().port();
    // Those of IPv4 are mapped: `::ffff:127.0.0.1`.
    let v4 = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
    let v6 = SocketAddr::new("::1".parse().unwrap(), port);
    let clients = [("127.0.0.1", v4), ("127.0.0.2", v4), ("::1", v6)];
    let mut refused = 0;
    let mut all = Vec::new();
    for (ip, server) in clients {
        let mut inside = Vec::new();
        for _ in 0..SHARE {
            let client = client_from(ip, server);
            assert_eq!(client.ask("hello\n"), "hello\n");
            inside.push(client);
        }
        all.push(inside);
    }
    for (of, (ip, server)) in clients.into_iter().enumerate() {
        for _ in 0..2 {
            expect_turned_away::<Tcp>(&client_from(ip, server), policy);
            refused += 1;
            assert_eq!(handle.stats().rejected_by.max_per_client, refused);
        }
        // One leaves, so one can come, from there.
        leave(all[of].pop());
        let left = (3 * SHARE - 1) as u64;
        eventually("it is gone", || handle.stats().active == left);
        let client = client_from(ip, server);
        assert_eq!(client.ask("hello\n"), "hello\n");
        all[of].push(client);
        expect_turned_away::<Tcp>(&client_from(ip, server), policy);
        refused += 1;
    }
    assert_eq!(handle.stats().rejected, refused);
    adds_up(&handle);
    in_time(move || server.stop()).unwrap();
}
