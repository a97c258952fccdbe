//! Behaviour that CPython's tests of `socketserver` do not cover, although its documentation describes it or
//! its users depend on it. The table lists the tests that cover each gap here. This module has the tests that
//! belong to no other subject. A test below checks that each test of the table exists.
//!
//! | gap | tests |
//! | --- | --- |
//! | `handle_request`: no timeout | `python_gaps::without_a_timeout_handle_request_waits_for_a_request` |
//! | ... the server's, the socket's own, the smaller of both | `life_cycle::handle_request_times_out_by_the_smaller_timeout` |
//! | ... zero | `life_cycle::a_handle_request_timeout_of_zero_polls_once` |
//! | ... is not that of `serve_forever` | `life_cycle::the_timeout_of_handle_request_does_not_end_serve_forever` |
//! | ... is not that of the clients | `stream_requests::the_timeout_of_the_listener_is_not_that_of_its_clients` |
//! | ... and a client that disconnects before it is accepted | `handlers::a_client_that_is_gone_before_it_is_accepted_does_not_end_handle_request` |
//! | `handle_timeout`, once for each | `life_cycle::handle_request_times_out_by_the_smaller_timeout` |
//! | `poll_interval` | `life_cycle::service_actions_are_called_while_the_server_is_idle`, `life_cycle::a_stop_does_not_wait_for_the_poll_interval` |
//! | ... of zero, and without a limit | `python_gaps::every_poll_interval_works` |
//! | `service_actions`: after each request | `life_cycle::service_actions_follow_each_request` |
//! | ... at least each interval | `life_cycle::service_actions_are_called_while_the_server_is_idle` |
//! | ... never after a stop was seen | `python_gaps::service_actions_do_not_follow_a_stop` |
//! | ... never from `handle_request` | `life_cycle::service_actions_are_not_called_by_handle_request` |
//! | `max_packet_size` and longer datagrams | `datagram_requests::a_truncated_datagram_is_marked`, `datagram_requests::the_greatest_packet_size_is_served`, `datagram_requests::a_packet_size_of_zero_truncates_every_datagram` |
//! | ... by default | `datagram_requests::by_default_no_udp_datagram_is_truncated`, `datagram_requests::by_default_usual_unix_datagrams_are_not_truncated` |
//! | an empty datagram | `datagram_requests::an_empty_datagram_is_a_request` |
//! | IPv6 | `options::the_family_is_that_of_the_address`, `options::only_v6_is_set_as_asked_for`, `options::a_dual_stack_server_sees_ipv4_clients_as_mapped`, `examples::echo_server_serves_ipv6` |
//! | `allow_reuse_address` | `options::addresses_are_reused_by_tcp_and_not_by_udp`, `options::the_reuse_options_are_set_as_asked_for`, `options::a_tcp_server_can_be_restarted_at_once` |
//! | `allow_reuse_port` | `options::the_reuse_options_are_set_as_asked_for`, `options::servers_share_a_port_if_all_of_them_allow_it` |
//! | `request_queue_size` | `options::the_backlog_of_a_tcp_server_is_as_long_as_set`, `options::the_backlog_of_a_unix_server_is_as_long_as_set`, `options::the_backlog_is_long_by_default` |
//! | `bind_and_activate=False` | `life_cycle::a_server_that_is_not_activated_does_not_serve` |
//! | `block_on_close` | `closing::a_running_request_is_waited_for` |
//! | `block_on_close=False` | `closing::requests_continue_without_block_on_close` |
//! | `daemon_threads`: threads do not keep the process | `python_gaps::abandoned_threads_end_with_the_process` |
//! | a buffered `wfile` | `python_gaps::buffered_data_is_sent_by_a_flush`, `python_gaps::buffered_data_is_sent_in_finish` |
//! | ... and a client that has disconnected | `python_gaps::buffered_data_for_a_disconnected_client_is_a_disconnect` |
//! | `max_children`, under `serve_forever` | `forking::no_more_children_run_than_are_allowed` |
//! | ... under `handle_request` | `forking::handle_request_forks_no_more_children_than_are_allowed` |
//! | ... and a stop at the limit | `forking::no_more_children_run_than_are_allowed`, `forking::handle_request_forks_no_more_children_than_are_allowed` |
//! | ... by default | `forking::the_limit_is_that_of_python` |
//! | `active_children`: exits are noticed without a next request | `forking::children_are_reaped_while_the_server_is_idle` |
//! | `block_on_close=False` of a forking server | `forking::a_child_outlives_its_server_and_does_not_keep_the_port` |
//! | a failure in a child process, in any hook | `forking::a_failure_in_a_child_costs_that_child` |
//! | output of a child process | `forking::output_is_printed_once` |
//! | `disable_nagle_algorithm` | `stream_requests::small_writes_are_not_delayed_by_default` |
//! | a handler's `timeout` | `stream_requests::a_timeout_can_be_an_option_of_the_server`, `stream_requests::a_read_that_timed_out_can_be_repeated`, `stream_requests::a_write_times_out_and_the_request_stays_usable` |
//! | ... and `sendall` to a slow client | `stream_requests::a_write_has_one_timeout_for_all_of_its_data` |
//! | `setup`, `handle`, `finish` that raise | `handlers::a_failure_costs_that_request_and_no_other` |
//! | `verify_request` that raises | `handlers::a_failure_costs_that_request_and_no_other` |
//! | `handle_error` that raises | `handlers::a_failure_costs_that_request_and_no_other` |
//! | `handle_timeout` that raises | `handlers::a_panic_in_handle_timeout_ends_nothing` |
//! | `service_actions` that raises | `handlers::a_panic_in_service_actions_ends_nothing`, `python_gaps::a_panic_in_service_actions_ends_no_loop` |
//! | `accept` that fails | `handlers::errors_of_the_listener_are_reported_counted_and_survived`, `handlers::a_listener_that_is_broken_for_good_ends_serve_forever` |
//! | `EMFILE` | `python_gaps::a_server_without_descriptors_serves_when_some_are_free_again` |
//! | a thread that cannot be started | `strategies::a_thread_that_cannot_be_started_costs_that_request` |
//! | which hook runs on which thread | `handlers::hooks_run_where_they_do_in_python` |
//! | SIGPIPE | `stream_requests::a_client_that_left_raises_no_sigpipe` |
//! | descriptors that child programs inherit | `options::programs_do_not_inherit_sockets` |
//! | half-close, by the client | `stream_requests::a_client_that_sends_no_more_can_be_answered`, `stream_requests::megabytes_go_both_ways_at_the_same_time` |
//! | ... by `shutdown_request`, with input left unread | `stream_requests::an_answer_is_not_lost_if_input_is_left_unread`, `stream_requests::input_that_is_left_unread_does_not_make_the_end_a_reset` |
//! | `serve_forever` after `shutdown` | `life_cycle::clients_that_come_between_two_runs_are_served_by_the_next` |
//! | a shutdown flag that remains after a run | `life_cycle::a_stop_after_the_end_does_not_end_the_next_run` |
//! | `shutdown` before `serve_forever` | `life_cycle::a_stop_before_the_start_is_remembered` |
//! | `shutdown` from a handler | `life_cycle::a_handler_stops_its_server` |
//! | a request in the backlog at the time of the stop | `life_cycle::a_stop_goes_before_the_next_request` |
//! | stream clients without an address | `python_gaps::a_unix_stream_client_has_a_name_if_it_is_bound` |
//! | datagram clients without an address | `datagram_requests::an_unnamed_client_is_served_and_cannot_be_answered` |
//! | the file of a Unix server | `life_cycle::the_file_of_a_unix_server_stays` |
//! | ... and its permissions | `options::the_mode_of_a_socket_file_follows_the_umask` |

mod buffered_writes;
mod daemon_threads;
// macOS closes connections for which there is no descriptor.
#[cfg(all(unix, not(target_vendor = "apple")))]
mod descriptors;
mod handle_request;
mod turns;
#[cfg(unix)]
mod unix_peers;

use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[cfg(unix)]
use nix::sys::signal::Signal;
use socket2::{Domain, SockAddr, Socket, Type};
use socketserver::strategy::{AcceptWait, Ready};
use socketserver::transport::{Tcp, Udp};
use socketserver::{
    Handled, HandlerError, Job, Rejected, Request, RequestHandler, Result, Sender, Sequential,
    Server, Service, Stage, Strategy, TcpRequest, Threading, ThreadingTcpServer, UnixAddress,
};
#[cfg(unix)]
use socketserver::{UnixStreamRequest, UnixStreamServer};

#[cfg(unix)]
use crate::docs::source_of;
use crate::support::alone::{is_alone, run, test_name};
use crate::support::net::*;
use crate::support::process::{Program, example_path};

#[cfg(unix)]
#[test]
fn every_test_of_the_table_exists() {
    let here = include_str!("mod.rs");
    let rows = here.lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut named = Vec::new();
    for row in rows.skip(2) {
        let (gap, cell) = row.trim_end_matches(" |").split_once(" | ").unwrap();
        for test in cell.split(", ") {
            let name = test.trim_matches('`').split_once("::");
            let (file, name) = name.unwrap_or_else(|| panic!("no test in: {gap}"));
            let source = source_of(file);
            let found = ["(", "<"].map(|end| source.contains(&format!("fn {name}{end}")));
            assert!(found.contains(&true), "{gap}: no test {test}");
            named.push(test);
        }
    }
    assert!(named.len() > 50, "the table was not read: {named:?}");
}
