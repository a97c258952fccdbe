//! What CPython's tests of `socketserver` do not touch, although its documentation promises it or
//! its users run into it. For each gap, the tests that close it here; those in this file are the ones
//! that fit nowhere else. A test below checks that each of them exists.
//!
//! | gap | tests |
//! | --- | --- |
//! | `handle_request`: no timeout | `python_gaps::without_a_timeout_handle_request_waits_for_a_request` |
//! | ... the server's, the socket's own, the smaller of both | `life_cycle::handle_request_times_out_by_the_smaller_timeout` |
//! | ... zero | `life_cycle::a_handle_request_timeout_of_zero_looks_once` |
//! | ... is not that of `serve_forever` | `life_cycle::the_timeout_of_handle_request_does_not_end_serve_forever` |
//! | ... is not that of the clients | `stream_requests::the_timeout_of_the_listener_is_not_that_of_its_clients` |
//! | ... and a client that is gone before it is accepted | `handlers::a_client_that_is_gone_before_it_is_accepted_does_not_end_handle_request` |
//! | `handle_timeout`, once for each | `life_cycle::handle_request_times_out_by_the_smaller_timeout` |
//! | `poll_interval` | `life_cycle::service_actions_are_called_while_nothing_happens`, `life_cycle::a_stop_does_not_wait_for_the_poll_interval` |
//! | ... of zero, and without end | `python_gaps::every_poll_interval_will_do` |
//! | `service_actions`: after each request | `life_cycle::service_actions_follow_each_request` |
//! | ... at least each interval | `life_cycle::service_actions_are_called_while_nothing_happens` |
//! | ... never after a stop was seen | `python_gaps::service_actions_do_not_follow_a_stop` |
//! | ... never from `handle_request` | `life_cycle::service_actions_are_not_called_by_handle_request` |
//! | `max_packet_size` and what is longer | `datagram_requests::a_datagram_that_is_cut_says_so`, `datagram_requests::the_greatest_packet_size_is_served`, `datagram_requests::a_packet_size_of_zero_cuts_everything` |
//! | ... by default | `datagram_requests::without_an_option_no_udp_datagram_is_cut`, `datagram_requests::without_an_option_unix_datagrams_of_usual_buffers_are_not_cut` |
//! | an empty datagram | `datagram_requests::an_empty_datagram_is_a_request` |
//! | IPv6 | `options::the_family_is_that_of_the_address`, `options::only_v6_is_set_as_asked_for`, `options::a_dual_stack_server_sees_ipv4_clients_as_mapped`, `examples::echo_server_serves_ipv6` |
//! | `allow_reuse_address` | `options::addresses_are_reused_by_tcp_and_not_by_udp`, `options::the_reuse_options_are_set_as_asked_for`, `options::a_tcp_server_can_be_restarted_at_once` |
//! | `allow_reuse_port` | `options::the_reuse_options_are_set_as_asked_for`, `options::servers_share_a_port_if_all_of_them_allow_it` |
//! | `request_queue_size` | `options::the_queue_of_a_tcp_server_is_as_long_as_asked_for`, `options::the_queue_of_a_unix_server_is_as_long_as_asked_for`, `options::the_queue_is_long_unless_asked_for` |
//! | `bind_and_activate=False` | `life_cycle::a_server_that_is_not_activated_does_not_serve` |
//! | `block_on_close` | `closing::a_running_request_is_waited_for` |
//! | `block_on_close=False` | `closing::requests_go_on_by_themselves_if_so_wanted` |
//! | `daemon_threads`: threads do not keep the process | `python_gaps::threads_that_are_left_behind_end_with_the_process` |
//! | a buffered `wfile` | `python_gaps::what_is_buffered_is_sent_when_it_is_flushed`, `python_gaps::what_is_buffered_is_sent_in_finish` |
//! | ... and a client that is gone by then | `python_gaps::what_is_buffered_for_a_client_that_left_is_a_disconnect` |
//! | `max_children`, under `serve_forever` | `forking::no_more_children_run_than_are_allowed` |
//! | ... under `handle_request` | `forking::handle_request_forks_no_more_children_than_are_allowed` |
//! | ... and a stop at the limit | `forking::no_more_children_run_than_are_allowed`, `forking::handle_request_forks_no_more_children_than_are_allowed` |
//! | ... by default | `forking::the_limit_is_that_of_python` |
//! | `active_children`: ends are noticed without a next request | `forking::children_are_collected_while_nothing_happens` |
//! | `block_on_close=False` of a forking server | `forking::a_child_outlives_its_server_and_does_not_keep_the_port` |
//! | a failure in a child, in whatever hook | `forking::a_failure_in_a_child_costs_that_child` |
//! | what a child prints | `forking::what_is_printed_is_printed_once` |
//! | `disable_nagle_algorithm` | `stream_requests::small_writes_are_not_held_back_unless_asked_for` |
//! | a handler's `timeout` | `stream_requests::a_timeout_can_be_an_option_of_the_server`, `stream_requests::a_read_that_timed_out_can_be_repeated`, `stream_requests::a_write_times_out_and_the_request_stays_usable` |
//! | ... and `sendall` to a client that reads a little now and then | `stream_requests::a_write_has_one_timeout_for_all_of_its_data` |
//! | `setup`, `handle`, `finish` that raise | `handlers::a_failure_costs_that_request_and_no_other` |
//! | `verify_request` that raises | `handlers::a_failure_costs_that_request_and_no_other` |
//! | `handle_error` that raises | `handlers::a_failure_costs_that_request_and_no_other` |
//! | `handle_timeout` that raises | `handlers::a_panic_in_handle_timeout_ends_nothing` |
//! | `service_actions` that raises | `handlers::a_panic_in_service_actions_ends_nothing`, `python_gaps::a_panic_in_service_actions_ends_no_loop` |
//! | `accept` that fails | `handlers::errors_of_the_listener_are_told_counted_and_survived`, `handlers::a_listener_that_is_broken_for_good_ends_serve_forever` |
//! | `EMFILE` | `python_gaps::a_server_without_descriptors_serves_when_there_are_some_again` |
//! | a thread that cannot be had | `strategies::a_thread_that_cannot_be_had_costs_that_request` |
//! | which hook runs on which thread | `handlers::hooks_run_where_they_do_in_python` |
//! | SIGPIPE | `stream_requests::a_client_that_left_raises_no_sigpipe` |
//! | what programs that a server starts inherit | `options::programs_do_not_inherit_sockets` |
//! | half-close, by the client | `stream_requests::a_client_that_sends_no_more_can_be_answered`, `stream_requests::megabytes_go_both_ways_at_the_same_time` |
//! | ... by `shutdown_request`, with input left unread | `stream_requests::an_answer_is_not_lost_if_input_is_left_unread`, `stream_requests::input_that_is_left_unread_does_not_make_the_end_a_reset` |
//! | `serve_forever` after `shutdown` | `life_cycle::clients_that_come_between_two_runs_are_served_by_the_next` |
//! | a shutdown flag that is left over | `life_cycle::a_stop_after_the_end_does_not_end_the_next_run` |
//! | `shutdown` before `serve_forever` | `life_cycle::a_stop_before_the_start_is_remembered` |
//! | `shutdown` from a handler | `life_cycle::a_handler_stops_its_server` |
//! | a request that is there at the time of the stop | `life_cycle::a_stop_goes_before_the_next_request` |
//! | stream clients without an address | `python_gaps::a_unix_stream_client_has_a_name_if_it_is_bound` |
//! | datagram clients without an address | `datagram_requests::an_unnamed_client_is_served_and_cannot_be_answered` |
//! | the file of a Unix server | `life_cycle::the_file_of_a_unix_server_stays` |
//! | ... and who may connect to it | `options::the_mode_of_a_socket_file_follows_the_umask` |

use std::io::{self, BufWriter, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::docs::source_of;
use crate::support::alone::{is_alone, run, test_name};
use crate::support::net::*;
use crate::support::process::{Program, example_path};
use nix::sys::signal::Signal;
use socket2::{Domain, SockAddr, Socket, Type};
use socketserver::strategy::{Ready, Wait};
use socketserver::transport::{Tcp, Udp};
use socketserver::{
    Handled, HandlerError, Job, Rejected, Request, RequestHandler, Result, Sender, Sequential,
    Server, Service, Stage, Strategy, TcpRequest, Threading, ThreadingTcpServer, UnixAddress,
    UnixStreamRequest, UnixStreamServer,
};

// ---- the table ----

#[test]
fn every_test_of_the_table_exists() {
    let here = include_str!("python_gaps.rs");
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

// ---- handle_request ----

fn without_a_timeout_handle_request_waits_for_a_request<T: Reachable>() {
    for timeout in [None, Some(Duration::MAX)] {
        let (timeouts, timed_out) = mpsc::channel();
        let service = Hooks::<T::Request>::echo().on_timeout(move || timeouts.send(()).unwrap());
        let dir = TempDir::new();
        let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
        let server = server.handle_request_timeout(timeout);
        let address = server.server_address().clone();
        let handled = thread::spawn(move || server.handle_request());
        // Nothing tells that it waits; it must not be over, at any rate.
        thread::sleep(Duration::from_millis(20));
        assert!(!handled.is_finished());
        let client = T::connect(&address);
        assert_eq!(client.ask("hello\n"), "hello\n");
        drop(client);
        let handled = in_time(|| handled.join()).unwrap();
        assert_eq!(handled.unwrap(), Handled::Request);
        assert_eq!(timed_out.iter().count(), 0);
    }
}

over!([Tcp, Udp, UnixStream, UnixDatagram] without_a_timeout_handle_request_waits_for_a_request);

// ---- poll_interval and service_actions ----

fn every_poll_interval_will_do<T: Reachable, M: Strategy + Default>() {
    for interval in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let host = host_with::<T, M, _, _>(
            Hooks::<T::Request>::echo(),
            |options| options,
            |server| server.poll_interval(interval),
        );
        for _ in 0..3 {
            assert_eq!(host.client().ask("hello\n"), "hello\n");
        }
        host.stop();
    }
}

everywhere!(every_poll_interval_will_do);

/// Runs requests in the loop, and tells when this begins to wait for one.
struct Announcing(mpsc::Sender<()>);

impl Strategy for Announcing {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        job.run();
        Ok(())
    }

    fn wait(&self, wait: &Wait<'_>) -> io::Result<Ready> {
        let _ = self.0.send(());
        wait.for_request()
    }
}

/// Python: the loop looks at the flag right after the poll, and leaves.
fn service_actions_do_not_follow_a_stop<T: Reachable>() {
    let (actions, acted) = mpsc::channel();
    let service = Hooks::<T::Request>::echo().on_actions(move || actions.send(()).unwrap());
    let (waiting, waits) = mpsc::channel();
    let host = host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(Announcing(waiting)).poll_interval(None),
    );
    next(&waits);
    host.stop();
    assert_eq!(acted.iter().count(), 0);
}

over!([Tcp, Udp, UnixStream, UnixDatagram] service_actions_do_not_follow_a_stop);

/// Of a pool that receives in several loops, none.
fn a_panic_in_service_actions_ends_no_loop<M: Strategy + Default>() {
    expect_panics();
    let service = Hooks::echo().on_actions(|| panic!("on purpose"));
    let host = host_with::<Udp, M, _, _>(
        service,
        |options| options,
        |server| server.poll_interval(Duration::from_millis(1)),
    );
    for _ in 0..20 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
    }
    host.stop();
}

by_strategy!(a_panic_in_service_actions_ends_no_loop);

// ---- daemon_threads ----

#[test]
#[ignore = "is run in a process of its own, by `threads_that_are_left_behind_end_with_the_process`"]
fn the_process_that_leaves_a_thread_behind() {
    if !is_alone(test_name!("the_process_that_leaves_a_thread_behind")) {
        return;
    }
    let (started, starts) = mpsc::channel();
    let service = Hooks::new(move |_: &mut TcpRequest| {
        let _ = started.send(());
        loop {
            thread::park();
        }
    });
    let server = ThreadingTcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.block_on_close(false).spawn().unwrap();
    let _client = Tcp::connect(server.server_address());
    next(&starts);
    assert_eq!(server.stop().unwrap().running, 1);
    println!("the server is closed");
}

/// Python's daemon threads: where closing does not wait for a thread, neither does the process.
#[test]
fn threads_that_are_left_behind_end_with_the_process() {
    let finished = run(test_name!("the_process_that_leaves_a_thread_behind"));
    assert!(finished.success().contains("the server is closed"));
}

// ---- a buffered wfile ----

/// What a handler and a test that watches its client tell each other.
#[derive(Clone)]
struct Steps {
    written: mpsc::Sender<()>,
    go_on: Gate,
}

impl Steps {
    fn new() -> (Self, mpsc::Receiver<()>) {
        let (written, watch) = mpsc::channel();
        let go_on = Gate::default();
        (Self { written, go_on }, watch)
    }

    /// Writes in small pieces, and waits.
    fn write(&self, wfile: &mut impl Write, words: &[&str]) -> Result {
        for word in words {
            wfile.write_all(word.as_bytes())?;
        }
        self.written.send(())?;
        self.go_on.pass();
        Ok(())
    }
}

const WORDS: [&str; 3] = ["one ", "two ", "three\n"];

#[track_caller]
fn expect_nothing_yet(client: &Client) {
    client.socket().set_nonblocking(true).unwrap();
    let nothing = client.try_receive().unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    client.socket().set_nonblocking(false).unwrap();
}

/// Python: `wbufsize`, and `self.wfile.flush()` in `handle`.
fn what_is_buffered_is_sent_when_it_is_flushed<T: Connected>() {
    let (steps, written) = Steps::new();
    let go_on = steps.go_on.clone();
    let host = host::<T, Threading, _>(Hooks::new(move |request: &mut T::Request| {
        let mut wfile = BufWriter::new(request);
        steps.write(&mut wfile, &WORDS)?;
        Ok(wfile.flush()?)
    }));
    let client = host.client();
    next(&written);
    expect_nothing_yet(&client);
    go_on.open();
    assert_eq!(client.rest(), b"one two three\n");
    host.stop();
}

/// Python: `wbufsize`, and the `finish` of `StreamRequestHandler`.
struct Buffered {
    steps: Steps,
    words: Vec<&'static str>,
    end: fn() -> Result,
    failed: mpsc::Sender<Failure>,
}

impl<R: Request> Service<R> for Buffered {
    type Handler = BufferedHandler;

    fn request_handler(self: &Arc<Self>) -> BufferedHandler {
        BufferedHandler {
            service: Arc::clone(self),
            wfile: None,
        }
    }

    fn handle_error(&self, _: &mut R, error: &HandlerError) {
        let _ = self.failed.send(Failure::of(error));
    }
}

struct BufferedHandler {
    service: Arc<Buffered>,
    wfile: Option<BufWriter<Sender>>,
}

impl<R: Request> RequestHandler<R> for BufferedHandler {
    fn setup(&mut self, request: &mut R) -> Result {
        let size = self.service.words.concat().len();
        self.wfile = Some(BufWriter::with_capacity(size + 1, request.sender()));
        Ok(())
    }

    fn handle(&mut self, _: &mut R) -> Result {
        let wfile = self.wfile.as_mut().expect("it is set up");
        self.service.steps.write(wfile, &self.service.words)?;
        (self.service.end)()
    }

    fn finish(&mut self, _: &mut R) -> Result {
        let wfile = self.wfile.as_mut().expect("it is set up");
        Ok(wfile.flush()?)
    }
}

/// A server whose handler writes words through a buffer and ends with `end`, and its client.
struct Buffering<T: Connected> {
    host: Host<T, Buffered>,
    client: Client,
    written: mpsc::Receiver<()>,
    go_on: Gate,
    failures: mpsc::Receiver<Failure>,
}

impl<T: Connected> Buffering<T> {
    fn start(words: Vec<&'static str>, end: fn() -> Result) -> Self {
        let (steps, written) = Steps::new();
        let go_on = steps.go_on.clone();
        let (failed, failures) = mpsc::channel();
        let host = host::<T, Threading, _>(Buffered {
            steps,
            words,
            end,
            failed,
        });
        let client = host.client();
        Self {
            host,
            client,
            written,
            go_on,
            failures,
        }
    }
}

/// Also after `handle` has failed.
fn what_is_buffered_is_sent_in_finish<T: Connected>() {
    let ends: [fn() -> Result; 2] = [|| Ok(()), || Err("on purpose".into())];
    for (failed, end) in ends.into_iter().enumerate() {
        let test = Buffering::<T>::start(WORDS.into(), end);
        next(&test.written);
        expect_nothing_yet(&test.client);
        test.go_on.open();
        assert_eq!(test.client.rest(), b"one two three\n");
        test.host.stop();
        assert_eq!(test.failures.iter().count(), failed);
    }
}

/// Python swallows what goes wrong there; here it is told, as what it is.
fn what_is_buffered_for_a_client_that_left_is_a_disconnect<T: Connected>() {
    // More than the system takes, as it may not know at once that the client is gone.
    let test = Buffering::<T>::start(vec!["so many words "; 1 << 20], || Ok(()));
    next(&test.written);
    drop(test.client);
    test.go_on.open();
    let failure = next(&test.failures);
    assert!(failure.is_disconnect, "{failure:?}");
    assert_eq!(failure.stage, Stage::Finish);
    test.host.stop();
}

over_streams!(
    what_is_buffered_is_sent_when_it_is_flushed,
    what_is_buffered_is_sent_in_finish,
    what_is_buffered_for_a_client_that_left_is_a_disconnect,
);

// ---- EMFILE ----

const DESCRIPTORS: usize = 24;

/// An echo server that cannot have more than these.
fn with_few_descriptors() -> Program {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\""])
        .arg(DESCRIPTORS.to_string())
        .arg(example_path("echo_server"))
        .args(["--strategy", "threading", "--grace", "60"])
        .args(["--port", "0", "--host"])
        .arg(own_loopback().ip().to_string());
    Program::start(command)
}

/// More clients than it can have at the same time.
fn too_many_clients(address: SocketAddr) -> Vec<Client> {
    let clients = (0..2 * DESCRIPTORS).map(|_| {
        let client = Tcp::connect(&address);
        client.send("hello\n");
        client
    });
    clients.collect()
}

/// Each is served when one before it has left.
fn expect_to_be_served(clients: &[Client]) {
    for client in clients {
        assert_eq!(client.line(), "hello\n");
        client.finish();
        client.expect_end();
    }
}

/// A real one: more clients than descriptors. They wait in the kernel's queue. (Python serves them too,
/// but its loop spins while they wait.)
#[test]
fn a_server_without_descriptors_serves_when_there_are_some_again() {
    let mut server = with_few_descriptors();
    let clients = too_many_clients(server.address());
    expect_to_be_served(&clients);
    server.signal(Signal::SIGINT);
    let finished = server.finish();
    let counted = format!(
        "served {} connections and 0 datagrams, 0 failed",
        clients.len()
    );
    assert!(finished.success().lines().any(|line| line == counted));
}

/// All come while it is held, and the stop with them.
#[test]
fn a_stop_without_descriptors_loses_nobody_who_waits() {
    let mut server = with_few_descriptors();
    let address = server.address();
    server.signal(Signal::SIGSTOP);
    let clients = too_many_clients(address);
    server.signal(Signal::SIGINT);
    server.signal(Signal::SIGCONT);
    expect_to_be_served(&clients);
    let finished = server.finish();
    let drained = "0 failed, 0 refused, 0 interrupted, 0 abandoned";
    assert!(finished.success().trim_end().ends_with(drained));
}

// ---- Unix peers ----

/// Python: an empty string for one that is not.
#[test]
fn a_unix_stream_client_has_a_name_if_it_is_bound() {
    let (seen, addresses) = mpsc::channel();
    let service = Hooks::new(move |request: &mut UnixStreamRequest| {
        let _ = seen.send(request.client_address().clone());
        echo_lines(request)
    });
    let dir = TempDir::new();
    let server = UnixStreamServer::bind(dir.socket(), service).unwrap();
    let address = SockAddr::unix(server.server_address().as_path().unwrap()).unwrap();
    let server = server.spawn().unwrap();
    let (path, name) = (dir.socket(), unique_name());
    let bound_to = |address: &SockAddr| {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(address).unwrap();
        socket
    };
    let by_path = bound_to(&SockAddr::unix(&path).unwrap());
    let by_name = bound_to(&SockAddr::unix(format!("\0{name}")).unwrap());
    let unbound = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    for (socket, expected) in [
        (unbound, UnixAddress::Unnamed),
        (by_path, UnixAddress::Path(path)),
        (by_name, UnixAddress::Abstract(name.into_bytes())),
    ] {
        socket.connect(&address).unwrap();
        assert_eq!(Client::new(socket).ask("hello\n"), "hello\n");
        assert_eq!(next(&addresses), expected);
    }
    in_time(|| server.stop()).unwrap();
}
