//! Models of limits that change while an accept loop waits because of them: `Limits`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use crate::state::limits::{Admission, Entry, LimitConfig};
use crate::state::{InFlight, ServerState};

fn server(max_connections: Option<usize>) -> Arc<ServerState> {
    thread::limit(None);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let limits = LimitConfig {
        max_connections,
        ..LimitConfig::default()
    };
    let state = ServerState::new([address.into()].into(), limits);
    Arc::new(state.expect("a model does not run out of resources"))
}

/// Waits until the limits admit a connection of this client. Mirrors `server/admission.rs`.
fn admit(state: &Arc<ServerState>, client: IpAddr) -> InFlight {
    let limits = &state.limits;
    let has_to_wait = || matches!(limits.admission(&state.counters), Admission::Wait(_));
    let begin = || {
        let client = limits.admit_client(client).expect("no limit per client");
        InFlight::begin_for(state, client).into_owned()
    };
    loop {
        if has_to_wait() {
            let _waiting = limits.wait_for_place();
            if has_to_wait() {
                state.waker.0.wait(false, None);
                state.acknowledge_wake();
            }
            continue;
        }
        match limits.try_admit(&state.counters, &state.waker) {
            Entry::Unlimited => return begin(),
            Entry::Permit(permit) => return permit.admit(begin),
            Entry::Wait | Entry::Reject(..) => {}
        }
    }
}

fn client(host: u32) -> IpAddr {
    Ipv4Addr::from_bits(host).into()
}

/// Checks that no request, place or share of a client is left.
fn assert_unused(state: &Arc<ServerState>) {
    assert_eq!(state.active(), 0);
    let limits = &state.limits;
    limits.set_max_connections(Some(1), &state.waker);
    limits.set_max_per_client(Some(1));
    let only = admit(state, client(1));
    assert!(matches!(
        limits.try_admit(&state.counters, &state.waker),
        Entry::Wait
    ));
    assert!(limits.admit_client(client(1)).is_err());
    drop(only);
    assert_eq!(state.active(), 0);
}

fn a_change_wakes_the_loop(most: Option<usize>) {
    let state = server(Some(1));
    let first = admit(&state, client(1));
    let change = {
        let state = Arc::clone(&state);
        thread::spawn(move || state.limits.set_max_connections(most, &state.waker))
    };
    let second = admit(&state, client(2));
    change.join().expect("a change never waits");
    assert_eq!(state.active(), 2);
    drop((first, second));
    assert_unused(&state);
}

/// The loop waits, or is about to wait, when the limit is raised.
pub fn a_raised_limit_wakes_the_loop() {
    a_change_wakes_the_loop(Some(2));
}

pub fn a_removed_limit_wakes_the_loop() {
    a_change_wakes_the_loop(None);
}

/// A request that was admitted without a limit ends while a limit is set. Its end wakes the loop.
pub fn a_limit_counts_requests_that_run() {
    let state = server(None);
    let first = admit(&state, client(1));
    let end = thread::spawn(move || drop(first));
    state.limits.set_max_connections(Some(1), &state.waker);
    let second = admit(&state, client(1));
    assert_eq!(state.active(), 1);
    end.join().expect("the end of a request never waits");
    drop(second);
    assert_unused(&state);
}

/// Limits are set and removed while requests begin and end.
pub fn no_place_is_lost_while_limits_change() {
    let state = server(None);
    let change = {
        let state = Arc::clone(&state);
        thread::spawn(move || {
            for most in [Some(1), None] {
                state.limits.set_max_connections(most, &state.waker);
                state.limits.set_max_per_client(most.map(|_| 9));
            }
        })
    };
    let requests = {
        let state = Arc::clone(&state);
        thread::spawn(move || (0..2).for_each(|_| drop(admit(&state, client(1)))))
    };
    change.join().expect("a change never waits");
    requests.join().expect("all requests are admitted");
    assert_unused(&state);
}
