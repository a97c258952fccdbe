//! Tests of permits and of limits that change.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use super::*;
use crate::state::limits::token_bucket::TokenBucket;
use crate::state::{InFlight, ServerState};
use crate::sys::fd::AsFd;
use crate::sys::poll::wait_readable;

fn server(limits: LimitConfig) -> Arc<ServerState> {
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    Arc::new(ServerState::new([address.into()].into(), limits).unwrap())
}

fn max_connections(most: usize) -> LimitConfig {
    LimitConfig {
        max_connections: Some(most),
        ..LimitConfig::default()
    }
}

/// Limits an accept rate to a burst that is never refilled.
fn burst(tokens: u32) -> LimitConfig {
    LimitConfig {
        accept_rate: TokenBucket::new(0.0, tokens, Instant::now()),
        ..LimitConfig::default()
    }
}

fn ip(host: u32) -> Option<IpAddr> {
    Some(Ipv4Addr::from_bits(host).into())
}

fn try_admit(server: &ServerState) -> Entry<'_> {
    server.limits.try_admit(&server.counters, &server.waker)
}

fn permit(server: &ServerState) -> Permit<'_> {
    match try_admit(server) {
        Entry::Permit(permit) => permit,
        _ => panic!("the server must have capacity"),
    }
}

type Admitted<'a> = Result<InFlight<&'a Arc<ServerState>>, (RejectionReason, Rejection)>;

fn admit(server: &Arc<ServerState>, address: Option<IpAddr>) -> Admitted<'_> {
    let permit = permit(server);
    let client = match address {
        Some(address) => server.limits.admit_client(address)?,
        None => None,
    };
    Ok(permit.admit(|| InFlight::begin_for(server, client)))
}

#[track_caller]
fn expect_unused(server: &ServerState) {
    assert_eq!(server.active(), 0);
    assert_eq!(server.limits.waiting.load(Ordering::SeqCst), 0);
    assert_eq!(server.limits.usage.lock().reserved, 0);
    assert_eq!(server.limits.clients.clients(), 0);
}

#[test]
fn without_limits_every_connection_is_admitted() {
    let unlimited = server(LimitConfig::default());
    assert!(matches!(try_admit(&unlimited), Entry::Unlimited));
    let limited = server(max_connections(1));
    assert!(matches!(try_admit(&limited), Entry::Permit(_)));
    expect_unused(&limited);
}

#[test]
fn an_unused_permit_returns_its_place_and_token() {
    let server = server(LimitConfig {
        max_connections: Some(1),
        ..burst(1)
    });
    for _ in 0..3 {
        let permit = permit(&server);
        assert!(matches!(try_admit(&server), Entry::Wait));
        drop(permit);
    }
    let in_flight = admit(&server, None).unwrap();
    assert!(matches!(
        server.limits.admission(&server.counters),
        Admission::Wait(None)
    ));
    drop(in_flight);
    // The place is free again; the token is used up.
    assert!(matches!(
        server.limits.admission(&server.counters),
        Admission::Wait(Some(_))
    ));
    expect_unused(&server);
}

/// Another accept loop may have accepted the client, so that the permit stays unused.
#[test]
fn an_unused_permit_causes_no_rejection() {
    let by_connections = LimitConfig {
        at_max_connections: Rejection::Close.into(),
        ..max_connections(1)
    };
    let by_rate = LimitConfig {
        at_accept_rate: Rejection::Close.into(),
        ..burst(1)
    };
    for limits in [by_connections, by_rate] {
        let server = server(limits);
        let unused = permit(&server);
        assert!(matches!(try_admit(&server), Entry::Wait));
        drop(unused);
        let in_flight = admit(&server, None).unwrap();
        assert!(matches!(try_admit(&server), Entry::Reject(..)));
        drop(in_flight);
        expect_unused(&server);
    }
}

#[test]
fn a_rejected_client_returns_its_place() {
    let server = server(LimitConfig {
        max_connections: Some(2),
        max_per_client: Some(1),
        at_max_per_client: Rejection::Reset,
        ..burst(2)
    });
    let first = admit(&server, ip(1)).unwrap();
    for _ in 0..3 {
        let rejected = admit(&server, ip(1)).err();
        let expected = (RejectionReason::MaxPerClient, Rejection::Reset);
        assert_eq!(rejected, Some(expected));
    }
    // An owned request counts for its client too.
    let second = admit(&server, ip(2)).unwrap().into_owned();
    drop((first, second));
    expect_unused(&server);
}

#[test]
fn only_an_uninterrupted_limit_lasts() {
    const TIME: Duration = Duration::from_secs(1000);
    let server = server(LimitConfig {
        at_max_connections: OverloadPolicy::WaitAtMost(TIME),
        ..max_connections(1)
    });
    let usage = &server.limits.usage;
    let at = |now| usage.lock().admission(&server.counters, now);
    let start = Instant::now();
    let first = admit(&server, None).unwrap();
    let end = Instant::now() + TIME;
    assert!(matches!(at(start + TIME / 2), Admission::Wait(Some(left)) if left >= TIME / 2));
    assert!(matches!(
        at(end),
        Admission::Reject(RejectionReason::MaxConnections)
    ));
    drop(first);
    assert!(matches!(at(end), Admission::Admit));
    // The limit is reached anew, so that the time starts anew.
    let _next = admit(&server, None).unwrap();
    assert!(matches!(at(start + TIME / 2), Admission::Wait(Some(_))));
}

#[test]
fn places_are_never_more_and_never_lost() {
    const CAP: u64 = 3;
    let server = server(LimitConfig {
        max_per_client: Some(2),
        ..max_connections(CAP as usize)
    });
    thread::scope(|scope| {
        for n in 0..4 {
            let server = &server;
            scope.spawn(move || {
                let mut held = Vec::new();
                for turn in 0..20_000_u32 {
                    if let Entry::Permit(permit) = try_admit(server)
                        && turn % 3 != 0
                        && let Ok(client) = server.limits.admit_client(ip(n / 2).unwrap())
                    {
                        held.push(permit.admit(|| InFlight::begin_for(server, client)));
                    }
                    assert!(server.counters.stats().active <= CAP);
                    if turn % 5 == 0 {
                        held.pop();
                    }
                    if turn % 7 == 0 {
                        held.clear();
                    }
                }
            });
        }
    });
    expect_unused(&server);
    let all: Vec<_> = (0..CAP as u32)
        .map(|n| admit(&server, ip(n)).unwrap())
        .collect();
    assert!(matches!(try_admit(&server), Entry::Wait));
    drop(all);
    expect_unused(&server);
}

/// Begins a request as an accept loop does, if the limits admit one.
fn begin(server: &Arc<ServerState>, host: u32) -> Option<InFlight<&Arc<ServerState>>> {
    let permit = match try_admit(server) {
        Entry::Unlimited => None,
        Entry::Permit(permit) => Some(permit),
        Entry::Wait | Entry::Reject(..) => return None,
    };
    let client = server.limits.admit_client(ip(host)?).ok()?;
    let begin = || InFlight::begin_for(server, client);
    Some(match permit {
        Some(permit) => permit.admit(begin),
        None => begin(),
    })
}

#[test]
fn a_limit_that_is_set_later_counts_open_connections() {
    let server = server(LimitConfig::default());
    let mut open: Vec<_> = (0..4).map(|n| begin(&server, n / 2).unwrap()).collect();
    server.limits.set_max_per_client(Some(2));
    let rejected = server.limits.admit_client(ip(0).unwrap());
    let expected = (RejectionReason::MaxPerClient, Rejection::Close);
    assert_eq!(rejected, Err(expected));
    server.limits.set_max_connections(Some(4), &server.waker);
    assert!(begin(&server, 7).is_none());
    drop(open.pop());
    // A place of any client, and one of this client.
    assert!(begin(&server, 0).is_none());
    open.push(begin(&server, 1).unwrap());
    // A lower limit ends no connection, and admits none until enough have ended.
    server.limits.set_max_connections(Some(2), &server.waker);
    assert_eq!(server.active(), 4);
    open.truncate(2);
    assert!(begin(&server, 7).is_none());
    open.truncate(1);
    open.push(begin(&server, 7).unwrap());
    server.limits.set_max_connections(None, &server.waker);
    server.limits.set_max_per_client(None);
    open.extend((0..5).map(|_| begin(&server, 0).unwrap()));
    drop(open);
    expect_unused(&server);
}

#[test]
fn a_limit_of_zero_counts_as_one() {
    let server = server(LimitConfig::default());
    server.limits.set_max_connections(Some(0), &server.waker);
    server.limits.set_max_per_client(Some(0));
    let only = begin(&server, 1).unwrap();
    assert!(begin(&server, 2).is_none());
    drop(only);
    expect_unused(&server);
}

/// A permit belongs to the limits at the time when it was made.
#[test]
fn an_unused_permit_returns_no_token_to_a_later_bucket() {
    let server = server(max_connections(5));
    let bucket = |tokens| TokenBucket::new(0.0, tokens, Instant::now());
    let without_token = permit(&server);
    server.limits.set_accept_rate(bucket(1), &server.waker);
    let earlier_token = permit(&server);
    drop(without_token);
    assert!(matches!(try_admit(&server), Entry::Wait));
    server.limits.set_accept_rate(bucket(1), &server.waker);
    let in_flight = permit(&server).admit(|| InFlight::begin(&server));
    drop((in_flight, earlier_token));
    assert!(matches!(try_admit(&server), Entry::Wait));
    server.limits.set_accept_rate(None, &server.waker);
    // A permit that is out while all limits are removed.
    let permit = permit(&server);
    server.limits.set_max_connections(None, &server.waker);
    assert!(matches!(try_admit(&server), Entry::Unlimited));
    drop(permit);
    expect_unused(&server);
}

#[test]
fn a_change_wakes_a_loop_that_waits() {
    let server = server(max_connections(1));
    let is_woken = || {
        let woken = wait_readable([server.waker.as_fd()], Some(Duration::ZERO)).unwrap();
        server.waker.drain();
        woken == [true]
    };
    let limits = &server.limits;
    let changes: [&dyn Fn(); 5] = [
        &|| limits.set_max_connections(Some(2), &server.waker),
        &|| limits.set_max_connections(None, &server.waker),
        &|| limits.set_at_max_connections(Rejection::Close.into(), &server.waker),
        &|| limits.set_accept_rate(None, &server.waker),
        &|| limits.set_at_accept_rate(Rejection::Close.into(), &server.waker),
    ];
    for change in changes {
        change();
        assert!(!is_woken(), "no loop waits");
        let _waiting = limits.wait_for_place();
        change();
        assert!(is_woken());
    }
}

#[test]
fn a_denied_client_uses_no_place_and_no_token() {
    let server = server(LimitConfig {
        max_connections: Some(1),
        access_list: AccessList::new().deny("0.0.0.1").unwrap(),
        at_denied: Rejection::Reset,
        ..burst(1)
    });
    for _ in 0..3 {
        let denied = admit(&server, ip(1)).err();
        let expected = (RejectionReason::AccessList, Rejection::Reset);
        assert_eq!(denied, Some(expected));
        expect_unused(&server);
    }
    assert!(admit(&server, ip(2)).is_ok());
    assert!(
        matches!(try_admit(&server), Entry::Wait),
        "the token is used"
    );
}

#[test]
fn counts_are_kept_while_limits_change() {
    let server = server(LimitConfig::default());
    let changers = AtomicUsize::new(1);
    thread::scope(|scope| {
        for n in 0..3 {
            let (server, changers) = (&server, &changers);
            scope.spawn(move || {
                let mut held = Vec::new();
                let mut turn = n;
                while changers.load(Ordering::SeqCst) > 0 || turn < 1000 {
                    held.extend(begin(server, n));
                    match turn % 5 {
                        0 => held.clear(),
                        1 => drop(try_admit(server)),
                        2 => drop(held.pop()),
                        _ => {}
                    }
                    turn += 1;
                }
            });
        }
        for n in 0..5000 {
            let limits = &server.limits;
            match n % 6 {
                0 => limits.set_max_connections(Some(n % 4), &server.waker),
                1 => limits.set_max_per_client(Some(n % 3)),
                2 => {
                    limits.set_accept_rate(TokenBucket::new(1e6, 2, Instant::now()), &server.waker)
                }
                3 => limits.set_max_per_client(None),
                4 => limits.set_max_connections(None, &server.waker),
                _ => limits.set_accept_rate(None, &server.waker),
            }
        }
        changers.store(0, Ordering::SeqCst);
    });
    expect_unused(&server);
    server.limits.set_accept_rate(None, &server.waker);
    server.limits.set_max_connections(Some(3), &server.waker);
    server.limits.set_max_per_client(Some(1));
    let all: Vec<_> = (0..3).map(|n| begin(&server, n).unwrap()).collect();
    assert!(begin(&server, 3).is_none());
    drop(all);
    expect_unused(&server);
}
