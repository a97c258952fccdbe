//! Limits where each request has a child process.
//!
//! Each test has a process of its own, because a child process has copies of all sockets that are open at
//! its fork. Sockets of other tests would stay open for as long as it runs.

use socketserver::Rejection;
use socketserver::transport::{Stream, UnixStream};

use crate::limits::checks;
use crate::limits::common::*;
use crate::support::alone::{apart, test_name};
use crate::support::net::*;

macro_rules! over_streams_alone {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use super::*;

            #[test]
            fn tcp() {
                apart(test_name!("tcp"), || {
                    checks::$check::<socketserver::transport::Tcp>(|| Box::new(forking()));
                });
            }

            #[test]
            fn unix() {
                apart(test_name!("unix"), || {
                    checks::$check::<UnixStream>(|| Box::new(forking()));
                });
            }
        })*
    };
}

over_streams_alone!(
    a_rejected_client_sees_the_policy,
    clients_are_rejected_when_the_wait_expires,
    clients_are_served_before_the_wait_expires,
    a_limit_counts_under_handle_request,
    handle_request_rejects_at_a_limit,
    a_stop_ends_the_wait_of_handle_request,
    a_limit_can_be_changed_and_taken_back,
);

#[test]
fn full_strategies_reject_clients() {
    apart(test_name!("full_strategies_reject_clients"), || {
        checks::a_full_strategy_rejects_clients(forking().max_children(2));
    });
}

#[test]
fn a_waiting_loop_does_not_iterate() {
    apart(test_name!("a_waiting_loop_does_not_iterate"), || {
        checks::a_waiting_loop_does_not_iterate::<UnixStream, _>(forking());
    });
}

#[test]
fn clients_have_their_own_shares() {
    apart(test_name!("clients_have_their_own_shares"), || {
        for rejection in [Rejection::Close, Rejection::Reset] {
            checks::every_client_has_its_own_share(forking(), &rejection);
        }
    });
}

#[test]
fn the_cap_holds_for_processes() {
    apart(test_name!("the_cap_holds_for_processes"), || {
        const CAP: usize = 3;
        fn check<T: Connected + Stream>() {
            let limits = |options: Options<_, _>| options.max_connections(CAP);
            let host = start::<T, _, _>(forking(), LineEchoes, limits);
            let handle = host.server.handle();
            let watch = Watch::start(handle.clone(), CAP);
            let clients: Vec<_> = (0..5 * CAP).map(|_| host.client()).collect();
            eventually("the limit is reached", || {
                handle.stats().active == CAP as u64
            });
            for (n, client) in clients.iter().enumerate() {
                client.send(format!("{n}\n"));
            }
            for (n, client) in clients.iter().enumerate() {
                assert_eq!(client.rest(), format!("{n}\n").as_bytes());
            }
            eventually("all child processes are reaped", || {
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
