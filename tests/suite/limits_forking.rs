//! Limits where each request has a child process.
//!
//! Each test has a process of its own, because a child process has copies of all sockets that are open at
//! its fork. Sockets of other tests would stay open for as long as it runs.

use socketserver::transport::{Stream, Tcp, UnixStream};
use socketserver::{AccessList, Rejection, Request, TcpRequest};

use crate::limits::common::*;
use crate::limits::{access, checks, live};
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
fn a_denied_client_costs_no_process() {
    apart(test_name!("a_denied_client_costs_no_process"), || {
        access::a_denied_client_costs_nothing_with(forking);
    });
}

#[test]
fn limits_change_while_processes_run() {
    apart(test_name!("limits_change_while_processes_run"), || {
        live::a_raised_limit_admits_waiting_clients::<UnixStream>(|| Box::new(forking()));
        live::a_limit_per_client_counts_open_connections(|| Box::new(forking()));
    });
}

/// The server belongs to the parent.
#[test]
fn a_child_process_changes_no_limit() {
    apart(test_name!("a_child_process_changes_no_limit"), || {
        let service = Hooks::new(|request: &mut TcpRequest| {
            let server = request.server().clone();
            server.set_max_connections(1);
            server.set_at_max_connections(Rejection::Close);
            server.set_max_per_client(1);
            server.set_at_max_per_client(Rejection::Close);
            server.set_accept_rate(0.0, 1);
            server.set_at_accept_rate(Rejection::Close);
            server.set_access_list(access::deny("127.0.0.1"));
            server.set_at_denied(Rejection::Close);
            server.update_access_list(|list| list.deny("127.0.0.1"))?;
            assert_eq!(server.access_list(), AccessList::new());
            echo_lines(request)
        });
        let host = start::<Tcp, _, _>(forking(), service, |options| options);
        let handle = host.server.handle();
        leave(fill(&host, 3));
        assert_eq!(handle.access_list(), AccessList::new());
        assert_eq!(handle.stats().rejected, 0);
        host.stop();
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
