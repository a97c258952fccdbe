//! Limits on who is taken in, where each request has a process of its own.
//!
//! Apart from the other tests, and one at a time: a child has copies of all sockets of the moment of its
//! fork, and those of another test would be open for longer than their owner thinks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use socketserver::AtLimit;
use socketserver::transport::{Stream, UnixStream};

use crate::limits::shared::{self, *};
use crate::support::net::*;

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

macro_rules! over_streams_alone {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use super::*;

            #[test]
            fn tcp() {
                let _alone = alone();
                shared::$check::<socketserver::transport::Tcp>(|| Box::new(forking()));
            }

            #[test]
            fn unix() {
                let _alone = alone();
                shared::$check::<UnixStream>(|| Box::new(forking()));
            }
        })*
    };
}

over_streams_alone!(
    who_is_turned_away_sees_how,
    who_has_waited_for_too_long_is_turned_away,
    who_may_wait_for_long_is_served,
    a_limit_counts_under_handle_request,
    a_stop_ends_the_wait_of_handle_request,
    a_limit_can_be_changed_and_taken_back,
);

#[test]
fn full_strategies_turn_clients_away() {
    let _alone = alone();
    a_full_strategy_turns_clients_away(forking().max_children(2));
}

#[test]
fn a_loop_that_waits_takes_no_turns() {
    let _alone = alone();
    shared::a_loop_that_waits_takes_no_turns::<UnixStream, _>(forking());
}

#[test]
fn clients_have_their_own_shares() {
    let _alone = alone();
    for policy in [AtLimit::Close, AtLimit::Reset] {
        every_client_has_its_own_share(forking(), &policy);
    }
}

#[test]
fn the_cap_holds_for_processes() {
    const CAP: usize = 3;
    let _alone = alone();
    fn check<T: Connected + Stream>() {
        let host = start::<T, _, _>(forking(), LineEchoes, |server| server.max_connections(CAP));
        let handle = host.server.handle();
        let watch = Watch::over(handle.clone(), CAP);
        let clients: Vec<_> = (0..5 * CAP).map(|_| host.client()).collect();
        eventually("it is full", || handle.stats().active == CAP as u64);
        for (n, client) in clients.iter().enumerate() {
            client.send(format!("{n}\n"));
        }
        for (n, client) in clients.iter().enumerate() {
            assert_eq!(client.rest(), format!("{n}\n").as_bytes());
        }
        eventually("all are collected", || {
            handle.stats().completed == 5 * CAP as u64
        });
        watch.end();
        adds_up(&handle);
        host.stop();
    }
    check::<socketserver::transport::Tcp>();
    check::<UnixStream>();
}
