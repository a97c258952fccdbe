//! Limits that change while the server serves.

use std::sync::atomic::AtomicBool;

use socketserver::{AccessList, ServerHandle};

use super::access::deny;
use super::*;
use crate::support::scale::scale;

/// The server is bound without limits, and its loop waits only for notifications.
pub(crate) fn a_raised_limit_admits_waiting_clients<T: Connected + Stream>(strategy: MakeStrategy) {
    let adjust = |server: socketserver::Server<_, _, _>| server.poll_interval(None);
    let host = start_with::<T, _, _>(
        strategy(),
        Hooks::<T::Request>::echo(),
        |options| options.max_connections(1),
        adjust,
    );
    let handle = host.server.handle();
    let served = fill(&host, 1);
    let mut waiting: Vec<_> = (0..3).map(|_| host.client()).collect();
    for client in &waiting {
        client.send("hello\n");
    }
    // They have connected before this answer, and the loop leaves them in the backlog.
    assert_eq!(served[0].ask("on\n"), "on\n");
    assert_eq!(handle.stats().active, 1);
    handle.set_max_connections(2);
    eventually("one of them is served", || handle.stats().active == 2);
    assert_eq!(served[0].ask("on\n"), "on\n");
    assert_eq!(handle.stats().accepted, 2);
    // A limit of the rate replaces the limit of the number.
    handle.set_accept_rate(0.0, 1);
    handle.set_max_connections(None);
    eventually("one of them has the token", || handle.stats().active == 3);
    assert_eq!(served[0].ask("on\n"), "on\n");
    assert_eq!(handle.stats().accepted, 3);
    handle.set_accept_rate(f64::INFINITY, 1);
    for client in &waiting {
        assert_eq!(client.line(), "hello\n");
    }
    // A policy that rejects ends the wait, too.
    handle.set_max_connections(1);
    waiting.push(host.client());
    handle.set_at_max_connections(Rejection::message("full\n"));
    assert_eq!(waiting.pop().unwrap().rest(), b"full\n");
    // A lower limit cuts no connection.
    for client in served.iter().chain(&waiting) {
        assert_eq!(client.ask("on\n"), "on\n");
    }
    assert_eq!(handle.stats().rejected_by.max_connections, 1);
    adds_up(&handle);
    host.stop();
}

pub(crate) fn a_limit_per_client_counts_open_connections(strategy: MakeStrategy) {
    let host = start::<Tcp, _, _>(strategy(), Hooks::echo(), |options| options);
    let handle = host.server.handle();
    let mut served = fill(&host, 3);
    handle.set_max_per_client(3);
    handle.set_at_max_per_client(Rejection::message("too many\n"));
    assert_eq!(host.client().rest(), b"too many\n");
    let other = client_from("127.0.0.2", *host.server.server_address());
    assert_eq!(other.ask("hello\n"), "hello\n");
    leave(served.pop());
    eventually("it has ended", || handle.stats().active == 3);
    served.extend(fill(&host, 1));
    assert_eq!(host.client().rest(), b"too many\n");
    handle.set_max_per_client(None);
    served.extend(fill(&host, 2));
    leave(served);
    leave([other]);
    eventually("all have ended", || handle.stats().active == 0);
    handle.set_max_per_client(1);
    let _served = fill(&host, 1);
    assert_eq!(host.client().rest(), b"too many\n");
    assert_eq!(handle.stats().rejected_by.max_per_client, 3);
    adds_up(&handle);
    host.stop();
}

#[test]
fn a_limit_per_client_counts_connections_of_every_strategy() {
    a_limit_per_client_counts_open_connections(|| Box::new(Threading::new()));
    a_limit_per_client_counts_open_connections(|| Box::new(ThreadPool::new(8)));
    a_limit_per_client_counts_open_connections(|| Box::new(Coroutines::new().workers(3)));
}

/// Handlers change the limits of their own server, also on the thread of the accept loop.
fn a_handler_changes_limits<M: Strategy + Default>() {
    let service = Hooks::new(|request: &mut socketserver::TcpRequest| {
        let server = request.server().clone();
        match &*request.readline(100)? {
            b"deny\n" => {
                let client = request.client_address().ip();
                server.update_access_list(|list| list.deny(client))?;
            }
            b"one\n" => {
                server.set_at_accept_rate(Rejection::message("slow down\n"));
                server.set_accept_rate(0.0, 1);
            }
            _ => {}
        }
        Ok(request.send_all("done\n")?)
    });
    let host = start::<Tcp, _, _>(M::default(), service, |options| options);
    let handle = host.server.handle();
    assert_eq!(host.client().ask("one\n"), "done\n");
    assert_eq!(host.client().ask("\n"), "done\n");
    assert_eq!(host.client().rest(), b"slow down\n");
    handle.set_accept_rate(f64::INFINITY, 0);
    assert_eq!(host.client().ask("deny\n"), "done\n");
    host.client().expect_end();
    let list = handle.access_list();
    assert_eq!(list, deny("127.0.0.1"));
    handle.set_access_list(AccessList::new());
    assert_eq!(host.client().ask("\n"), "done\n");
    host.stop();
}

by_strategy!(a_handler_changes_limits);

#[test]
fn no_update_of_the_access_list_is_lost() {
    let host = start::<Tcp, _, _>(Threading::new(), LineEchoes, |options| options);
    let handle = host.server.handle();
    thread::scope(|scope| {
        for n in 0..4_u8 {
            let handle = &handle;
            scope.spawn(move || {
                for m in 0..50_u8 {
                    let client = std::net::Ipv4Addr::new(192, 0, n, m);
                    handle.update_access_list(|list| list.deny(client)).unwrap();
                }
            });
        }
    });
    let failed = handle.update_access_list(|list| list.deny("nonsense"));
    assert_eq!(failed.unwrap_err().text(), "nonsense");
    assert_eq!(handle.access_list().denied().len(), 200);
    host.stop();
}

/// Changes limits at random until the result of the flag is `true`.
fn change_limits(handle: &ServerHandle, ended: &AtomicBool) {
    let mut random = fastrand::Rng::with_seed(7);
    while !ended.load(Ordering::SeqCst) {
        let most = Some(random.usize(0..4)).filter(|most| *most > 0);
        match random.u32(0..9) {
            0 | 1 => handle.set_max_connections(most),
            2 => handle.set_max_per_client(most),
            3 => handle.set_accept_rate(1e5, random.u32(1..3)),
            4 => handle.set_accept_rate(f64::INFINITY, 1),
            5 => handle.set_at_max_connections(OverloadPolicy::Wait),
            6 => handle.set_at_max_connections(Rejection::Close),
            7 => handle.set_access_list(deny("127.0.0.2")),
            _ => handle.set_access_list(AccessList::new()),
        }
        thread::yield_now();
    }
}

/// Counts add up, and agree with the clients, while another thread changes the limits.
fn counts_are_kept_under_load<M: Strategy + Default>() {
    let clients = scale(200, 2000);
    let host = start::<Tcp, _, _>(M::default(), Hooks::echo(), |options| options);
    let handle = host.server.handle();
    let address = *host.server.server_address();
    let ended = AtomicBool::new(false);
    let (served, rejected) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let changes = scope.spawn(|| change_limits(&handle, &ended));
        let load: Vec<_> = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
            .map(|ip| {
                let (served, rejected) = (&served, &rejected);
                scope.spawn(move || {
                    for _ in 0..clients {
                        let client = client_from(ip, address);
                        let sent = client.try_send("hello\n");
                        let answer = sent.and_then(|()| client.try_receive());
                        let counter = match answer.as_deref() {
                            Ok(b"hello\n") => served,
                            // Rejected before the client has sent its line, or after.
                            Ok(b"") | Err(_) => rejected,
                            Ok(other) => panic!("{other:?}"),
                        };
                        counter.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .into();
        for clients in load {
            clients.join().unwrap();
        }
        ended.store(true, Ordering::SeqCst);
        changes.join().unwrap();
    });
    eventually("all connections have ended", || handle.stats().active == 0);
    adds_up(&handle);
    let stats = handle.stats();
    assert_eq!(stats.accepted, 3 * clients, "{stats:?}");
    assert_eq!(stats.rejected, rejected.into_inner() as u64, "{stats:?}");
    let by_themselves = stats.completed + stats.disconnected;
    assert_eq!(by_themselves, served.into_inner() as u64, "{stats:?}");

    // No place and no share was lost, and none was made.
    let cap = at_once::<M>(3);
    handle.set_access_list(AccessList::new());
    handle.set_accept_rate(f64::INFINITY, 1);
    handle.set_at_max_connections(Rejection::Close);
    handle.set_max_connections(cap);
    handle.set_max_per_client(cap);
    let watch = Watch::start(handle.clone(), cap);
    let _served = fill(&host, cap);
    if cap > 1 {
        host.client().expect_end();
    }
    watch.end();
    host.stop();
}

by_strategy!(counts_are_kept_under_load);
