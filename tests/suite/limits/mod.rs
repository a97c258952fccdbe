//! Limits on who is taken in: how many, how many of one client, how fast; and what becomes of the others.

pub(crate) mod shared;

use std::any::TypeId;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::shared::*;
use crate::support::net::*;
use socketserver::transport::{Stream, Tcp};
use socketserver::{
    AtLimit, Coroutines, Request, Sequential, Server, Service, Strategy, ThreadPool, Threading,
    sleep,
};

over_streams_by_strategy!(
    the_cap_holds_and_all_are_served,
    a_place_that_comes_free_is_taken_at_once,
    no_place_is_lost,
    a_burst_is_taken_in_and_the_rest_waits,
    a_burst_is_taken_in_and_the_rest_is_turned_away,
    those_who_wait_for_a_token_are_served_later,
    a_stop_ends_the_wait_for_a_token,
    a_stop_ends_the_wait_for_a_place,
    those_in_the_queue_are_served_at_the_end_as_ever,
);

/// The same for strategies that serve several at a time, with room for a few more than `places`.
macro_rules! for_several {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use super::*;

            fn check<T: Connected + Stream>() {
                super::$check::<T>(|| Box::new(Threading::new()));
                super::$check::<T>(|| Box::new(ThreadPool::new(8)));
                super::$check::<T>(|| Box::new(Coroutines::new().workers(1)));
                super::$check::<T>(|| Box::new(Coroutines::new().workers(3)));
            }

            #[test]
            fn tcp() {
                check::<Tcp>();
            }

            #[test]
            fn unix() {
                check::<socketserver::transport::UnixStream>();
            }
        })*
    };
}

for_several!(
    who_is_turned_away_sees_how,
    who_has_waited_for_too_long_is_turned_away,
    who_may_wait_for_long_is_served,
    a_limit_counts_under_handle_request,
    a_stop_ends_the_wait_of_handle_request,
    a_limit_can_be_changed_and_taken_back,
);

/// How many a strategy serves at once, if `limit` may be.
fn at_once<M: 'static>(limit: usize) -> usize {
    if TypeId::of::<M>() == TypeId::of::<Sequential>() {
        1
    } else {
        limit
    }
}

/// Counts those who are inside, and remembers how many there were at most.
#[derive(Clone, Default)]
struct Inside {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Inside {
    fn enter(&self) -> Inside {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.clone()
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

// ---- how many ----

fn the_cap_holds_and_all_are_served<T: Connected + Stream, M: Strategy + Default>() {
    const CAP: usize = 3;
    let inside = Inside::default();
    let service = Hooks::new({
        let inside = inside.clone();
        move |request: &mut T::Request| {
            let here = inside.enter();
            let line = request.readline(100)?;
            assert!(request.server().stats().active <= CAP as u64);
            here.leave();
            Ok(request.send_all(&line)?)
        }
    });
    let host = start::<T, _, _>(M::default(), service, |server| server.max_connections(CAP));
    let handle = host.server.handle();
    let watch = Watch::over(handle.clone(), CAP);
    let clients: Vec<_> = (0..5 * CAP).map(|_| host.client()).collect();
    let expected = at_once::<M>(CAP);
    eventually("it is full", || handle.stats().active == expected as u64);
    eventually("all are inside", || inside.most() == expected);
    for (n, client) in clients.iter().enumerate() {
        client.send(format!("{n}\n"));
    }
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(client.rest(), format!("{n}\n").as_bytes());
    }
    eventually("all are gone", || handle.stats().active == 0);
    watch.end();
    assert_eq!(inside.most(), expected);
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.refused), (5 * CAP as u64, 0));
    adds_up(&handle);
    host.stop();
}

#[test]
fn several_loops_share_one_cap() {
    for (workers, cap) in [(2, 1), (4, 2), (4, 5), (12, 3)] {
        let inside = Inside::default();
        let service = Hooks::new({
            let inside = inside.clone();
            move |request: &mut socketserver::TcpRequest| {
                let here = inside.enter();
                sleep(Duration::from_millis(1));
                here.leave();
                echo_lines(request)
            }
        });
        let strategy = Coroutines::new().workers(workers);
        let host = start::<Tcp, _, _>(strategy, service, |server| server.max_connections(cap));
        let handle = host.server.handle();
        let watch = Watch::over(handle.clone(), cap);
        let clients: Vec<_> = (0..60).map(|_| host.client()).collect();
        for client in &clients {
            client.send("hello\n");
            client.finish();
        }
        for client in &clients {
            assert_eq!(client.rest(), b"hello\n");
        }
        watch.end();
        assert!(inside.most() <= cap);
        host.stop();
    }
}

/// With one place, for which somebody always waits. Were it found free by looking from time to time only,
/// this would take longer than is allowed, by far.
fn a_place_that_comes_free_is_taken_at_once<T: Connected + Stream, M: Strategy + Default>() {
    const EACH: usize = 100;
    let host = start::<T, _, _>(M::default(), LineEchoes, |server| server.max_connections(1));
    let handle = host.server.handle();
    let watch = Watch::over(handle.clone(), 1);
    let started = Instant::now();
    thread::scope(|scope| {
        for n in 0..5 {
            let host = &host;
            scope.spawn(move || {
                for _ in 0..EACH {
                    let line = format!("{n}\n");
                    let client = host.client();
                    client.send(&line);
                    assert_eq!(client.rest(), line.as_bytes());
                }
            });
        }
    });
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    watch.end();
    eventually("all are gone", || {
        handle.stats().completed == 5 * EACH as u64
    });
    host.stop();
}

#[test]
fn full_strategies_turn_clients_away() {
    a_full_strategy_turns_clients_away(Threading::new().max_threads(2));
    a_full_strategy_turns_clients_away(ThreadPool::new(1).queue(1));
    a_full_strategy_turns_clients_away(Coroutines::new().workers(1).max_coroutines(2));
    a_full_strategy_turns_clients_away(Coroutines::new().workers(2).max_coroutines(2));
}

#[test]
fn loops_that_wait_take_no_turns() {
    a_loop_that_waits_takes_no_turns::<Tcp, _>(Threading::new());
    a_loop_that_waits_takes_no_turns::<Tcp, _>(ThreadPool::new(4));
}

// ---- the end ----

/// Stops a server in which nothing but a limit is waited for: at once, and no time of that limit is near.
#[track_caller]
fn expect_quick_stop<T: Connected, S: Service<T::Request>, M: Strategy>(host: Host<T, S, M>) {
    let started = Instant::now();
    host.stop();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "it took {took:?}");
}

fn a_stop_ends_the_wait_for_a_place<T: Connected + Stream, M: Strategy + Default>() {
    for policy in [AtLimit::Wait, AtLimit::WaitAtMost(4 * PATIENCE)] {
        let limit = |server: Server<_, _, _>| server.max_connections(2).at_max_connections(policy);
        let host = start::<T, _, _>(M::default(), Hooks::<T::Request>::echo(), limit);
        let handle = host.server.handle();
        let clients: Vec<_> = (0..6).map(|_| host.client()).collect();
        let inside = at_once::<M>(2) as u64;
        eventually("it is full", || handle.stats().active == inside);
        expect_quick_stop(host);
        drop(clients);
    }
}

fn a_stop_ends_the_wait_for_a_token<T: Connected + Stream, M: Strategy + Default>() {
    for policy in [AtLimit::Wait, AtLimit::WaitAtMost(4 * PATIENCE)] {
        let limit = |server: Server<_, _, _>| server.accept_rate(0.001, 1).at_accept_rate(policy);
        let host = start::<T, _, _>(M::default(), LineEchoes, limit);
        let handle = host.server.handle();
        let clients: Vec<_> = (0..3).map(|_| host.client()).collect();
        clients[0].send("hello\n");
        assert_eq!(clients[0].rest(), b"hello\n");
        eventually("it is gone", || handle.stats().active == 0);
        assert_eq!(handle.stats().accepted, 1);
        expect_quick_stop(host);
    }
}

/// Closing takes in those who wait, by the same rules.
fn those_in_the_queue_are_served_at_the_end_as_ever<
    T: Connected + Stream,
    M: Strategy + Default,
>() {
    const CAP: usize = 2;
    const CLIENTS: usize = 4 * CAP;
    let limit = |server: Server<_, _, _>| {
        let server = server.grace(PATIENCE).max_connections(CAP);
        server.accept_rate(1e-6, CLIENTS as u32)
    };
    let host = start::<T, _, _>(M::default(), LineEchoes, limit);
    let handle = host.server.handle();
    let watch = Watch::over(handle.clone(), CAP);
    // One more than there are tokens.
    let clients: Vec<_> = (0..=CLIENTS).map(|_| host.client()).collect();
    let inside = at_once::<M>(CAP) as u64;
    eventually("it is full", || handle.stats().active == inside);
    thread::scope(|scope| {
        scope.spawn(|| host.stop());
        eventually("it is stopped", || handle.is_shutting_down());
        for client in &clients[..CLIENTS] {
            client.send("hello\n");
        }
        for client in &clients[..CLIENTS] {
            assert_eq!(client.rest(), b"hello\n");
        }
        clients[CLIENTS].expect_end();
    });
    watch.end();
    let stats = handle.stats();
    assert_eq!(stats.completed, CLIENTS as u64);
    assert_eq!((stats.refused, stats.refused_by.closing), (1, 1));
    adds_up(&handle);
}

// ---- how fast ----

const BURST: usize = 4;

fn a_burst_is_taken_in_and_the_rest_waits<T: Connected + Stream, M: Strategy + Default>() {
    let limit = |server: Server<_, _, _>| server.accept_rate(1e-6, BURST as u32);
    let host = start::<T, _, _>(M::default(), LineEchoes, limit);
    let handle = host.server.handle();
    let clients: Vec<_> = (0..BURST + 5).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in &clients[..BURST] {
        assert_eq!(client.rest(), b"hello\n");
    }
    eventually("they are gone", || handle.stats().completed == BURST as u64);
    let nothing = Some(Duration::from_millis(5));
    for client in &clients[BURST..] {
        client.socket().set_read_timeout(nothing).unwrap();
        let error = client.try_receive().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.refused), (BURST as u64, 0));
    host.stop();
}

fn a_burst_is_taken_in_and_the_rest_is_turned_away<T: Connected + Stream, M: Strategy + Default>() {
    for policy in policies() {
        let limit = |server: Server<_, _, _>| {
            let server = server.accept_rate(1e-6, BURST as u32);
            server.at_accept_rate(policy.clone())
        };
        let host = start::<T, _, _>(M::default(), LineEchoes, limit);
        let handle = host.server.handle();
        for _ in 0..BURST {
            let client = host.client();
            client.send("hello\n");
            assert_eq!(client.rest(), b"hello\n");
        }
        for n in 1..=5 {
            expect_turned_away::<T>(&host.client(), &policy);
            assert_eq!(handle.stats().refused_by.accept_rate, n);
        }
        eventually("they are gone", || handle.stats().completed == BURST as u64);
        assert_eq!(handle.stats().refused, 5);
        adds_up(&handle);
        host.stop();
    }
}

fn those_who_wait_for_a_token_are_served_later<T: Connected + Stream, M: Strategy + Default>() {
    const PER_SECOND: u32 = 50;
    const LATER: u32 = 5;
    let started = Instant::now();
    let limit = |server: Server<_, _, _>| server.accept_rate(PER_SECOND.into(), BURST as u32);
    let host = start::<T, _, _>(M::default(), LineEchoes, limit);
    let handle = host.server.handle();
    let clients: Vec<_> = (0..BURST + LATER as usize).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in &clients {
        assert_eq!(client.rest(), b"hello\n");
    }
    // As many tokens as that do not come any faster.
    assert!(started.elapsed() >= Duration::from_secs(1) * LATER / PER_SECOND);
    assert_eq!(handle.stats().refused, 0);
    host.stop();
}

/// Those who are turned away by another limit cost no token.
#[test]
fn a_token_is_for_those_who_are_let_in() {
    let limit = |server: Server<_, _, _>| {
        let server = server.max_per_client(1).max_connections(2);
        let server = server.at_max_connections(AtLimit::Close);
        server.accept_rate(0.0, 3).at_accept_rate(AtLimit::Reset)
    };
    let host = start::<Tcp, _, _>(Threading::new(), Hooks::echo(), limit);
    let handle = host.server.handle();
    let first = fill(&host, 1);
    for _ in 0..5 {
        host.client().expect_end();
    }
    let address = *host.server.server_address();
    let second = client_from("127.0.0.2", address);
    assert_eq!(second.ask("hello\n"), "hello\n");
    for _ in 0..5 {
        client_from("127.0.0.3", address).expect_end();
    }
    leave(first);
    eventually("it is gone", || handle.stats().active == 1);
    let third = client_from("127.0.0.3", address);
    assert_eq!(third.ask("hello\n"), "hello\n");
    leave([second]);
    eventually("it is gone", || handle.stats().active == 1);
    expect_turned_away::<Tcp>(&client_from("127.0.0.4", address), &AtLimit::Reset);
    let by = handle.stats().refused_by;
    assert_eq!(
        (by.max_per_client, by.max_connections, by.accept_rate),
        (5, 5, 1)
    );
    adds_up(&handle);
    host.stop();
}

#[test]
fn clients_have_their_own_shares() {
    let mut policies = policies().to_vec();
    policies.push(AtLimit::Wait);
    for policy in &policies {
        every_client_has_its_own_share(Threading::new(), policy);
        every_client_has_its_own_share(ThreadPool::new(8), policy);
        every_client_has_its_own_share(Coroutines::new().workers(1), policy);
        every_client_has_its_own_share(Coroutines::new().workers(3), policy);
    }
}

#[test]
fn clients_without_an_address_have_no_share() {
    type UnixStream = socketserver::transport::UnixStream;
    let limit = |server: Server<_, _, _>| server.max_per_client(1);
    let host = start::<UnixStream, _, _>(Threading::new(), Hooks::echo(), limit);
    leave(fill(&host, 5));
    assert_eq!(host.server.handle().stats().refused, 0);
    host.stop();
}

// ---- nothing is lost ----

/// However connections end, there is as much room afterwards as before.
fn no_place_is_lost<T: Connected + Stream, M: Strategy + Default>() {
    const CAP: usize = 2;
    expect_panics();
    let service = Hooks::new(|request: &mut T::Request| match &*request.readline(100)? {
        b"panic\n" => panic!("as planned"),
        b"fail\n" => Err("as planned".into()),
        b"" => Ok(()),
        line => {
            request.send_all(line)?;
            echo_lines(request)
        }
    });
    let verified = AtomicUsize::new(0);
    let service = service.on_verify(move |_| match verified.fetch_add(1, Ordering::SeqCst) % 7 {
        3 => false,
        5 => panic!("as planned"),
        _ => true,
    });
    let limit = |server: Server<T, _, _>| {
        let server = server.max_connections(CAP).max_per_client(CAP);
        server.accept_rate(1e6, 1000)
    };
    let host = start::<T, _, _>(M::default(), service, limit);
    let handle = host.server.handle();
    for _ in 0..10 {
        for how in ["panic\n", "fail\n", "", "reset", "hello\n"] {
            let client = host.client();
            if how == "reset" {
                client.socket().set_linger(Some(Duration::ZERO)).unwrap();
                continue;
            }
            let _ = client.try_send(how);
            let _ = client.socket().shutdown(std::net::Shutdown::Write);
            let _ = client.try_receive();
        }
        eventually("all are gone", || {
            let stats = handle.stats();
            stats.accepted > 0 && stats.active == 0
        });
    }
    adds_up(&handle);
    let places = at_once::<M>(CAP);
    // The first to be verified may be one that is turned away.
    let mut inside = Vec::new();
    while inside.len() < places {
        let client = host.client();
        if client.try_send("hello\n").is_ok() && client.try_receive().is_ok_and(|d| !d.is_empty()) {
            inside.push(client);
        }
    }
    for client in &inside {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    host.stop();
}

#[test]
fn a_thread_that_cannot_be_had_takes_no_place() {
    for cap in [1, 2] {
        let limit = |server: Server<Tcp, _, _>| server.max_connections(cap).max_per_client(cap);
        let strategy = Threading::new().stack_size(1 << 46);
        let (service, failures) = Hooks::echo().failures();
        let host = start::<Tcp, _, _>(strategy, service, limit);
        let handle = host.server.handle();
        for n in 1..=5 {
            host.client().expect_end();
            crate::support::net::next(&failures);
            eventually("it is gone", || handle.stats().failed == n);
        }
        adds_up(&handle);
        host.stop();
    }
}
