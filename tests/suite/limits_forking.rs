//! Limits on who is taken in, where each request has a process of its own.
//!
//! Each test has a process of its own, because a child has copies of all sockets of the moment of its fork:
//! those of other tests would stay open for as long as it runs.

use socketserver::OverloadPolicy;
use socketserver::transport::{Stream, UnixStream};

use crate::limits::shared::{self, *};
use crate::support::alone::{apart, test_name};
use crate::support::net::*;

macro_rules! over_streams_alone {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use super::*;

            #[test]
            fn tcp() {
                apart(test_name!("tcp"), || {
                    shared::$check::<socketserver::transport::Tcp>(|| Box::new(forking()));
                });
            }

            #[test]
            fn unix() {
                apart(test_name!("unix"), || {
                    shared::$check::<UnixStream>(|| Box::new(forking()));
                });
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
    apart(test_name!("full_strategies_turn_clients_away"), || {
        a_full_strategy_turns_clients_away(forking().max_children(2));
    });
}

#[test]
fn a_loop_that_waits_takes_no_turns() {
    apart(test_name!("a_loop_that_waits_takes_no_turns"), || {
        shared::a_loop_that_waits_takes_no_turns::<UnixStream, _>(forking());
    });
}

#[test]
fn clients_have_their_own_shares() {
    apart(test_name!("clients_have_their_own_shares"), || {
        for policy in [Rejection::Close, Rejection::Reset] {
            every_client_has_its_own_share(forking(), &policy);
        }
    });
}

#[test]
fn the_cap_holds_for_processes() {
    apart(test_name!("the_cap_holds_for_processes"), || {
        const CAP: usize = 3;
        fn check<T: Connected + Stream>() {
            let host =
                start::<T, _, _>(forking(), LineEchoes, |server| server.max_connections(CAP));
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
    });
}
