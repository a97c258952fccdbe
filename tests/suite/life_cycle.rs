//! Serving, stopping and serving again: `serve_forever`, `handle_request`, `spawn`, `shutdown` and
//! `wait`, under every strategy and over every transport.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::net::*;
use socket2::SockRef;
use socketserver::strategy::RequestKind;
use socketserver::transport::{Tcp, UnixStream};
use socketserver::{
    Error, Handled, Phase, Request, Sequential, Server, ServerHandle, Service, Strategy,
    TcpRequest, TcpServer, Threading, ThreadingTcpServer, UdpServer, UnixStreamServer,
};

const HOUR: Duration = Duration::from_secs(3600);

/// A server that is bound and does not serve yet, as several threads see it. The directory is for
/// its socket.
fn bound<T, M, S>(service: S) -> (Arc<Server<T, S, M>>, TempDir)
where
    T: Reachable,
    M: Strategy + Default,
    S: Service<T::Request>,
{
    let dir = TempDir::new();
    let server = T::bind(&dir, Server::options(), service).unwrap();
    (Arc::new(server), dir)
}

/// A call of `serve_forever` on a thread of its own.
struct Run(JoinHandle<Result<(), Error>>);

impl Run {
    fn of<T, M, S>(server: &Arc<Server<T, S, M>>) -> Self
    where
        T: Reachable,
        M: Strategy,
        S: Service<T::Request>,
    {
        let server = Arc::clone(server);
        Self(thread::spawn(move || server.serve_forever()))
    }

    /// Waits for its end, which has to come.
    #[track_caller]
    fn end(self) {
        in_time(|| self.0.join()).unwrap().unwrap();
    }
}

/// Answers one line, and stops the server if that is what it says.
fn obedient<R: Request>() -> Hooks<R> {
    Hooks::new(|request: &mut R| {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        if line == b"stop\n" {
            request.server().shutdown();
        }
        Ok(())
    })
}

// ---- shutdown ----

fn another_thread_stops_an_idle_server<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let run = Run::of(&server);
    assert_eq!(
        T::connect(server.server_address()).ask("hello\n"),
        "hello\n"
    );
    server.handle().shutdown();
    run.end();
}

fn a_handler_stops_its_server<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let run = Run::of(&server);
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
}

/// `poll_interval` paces `service_actions`, and nothing else.
fn a_stop_does_not_wait_for_the_poll_interval<T: Reachable, M: Strategy + Default>() {
    for interval in [Some(HOUR), None] {
        let host = host_with::<T, M, _, _>(
            obedient(),
            |options| options,
            |server| server.poll_interval(interval),
        );
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        host.stop();
    }
}

fn a_stop_before_the_start_is_remembered<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let handle = server.handle();
    assert!(!handle.is_shutting_down());
    handle.shutdown();
    handle.shutdown();
    assert!(handle.is_shutting_down());
    Run::of(&server).end();
    // It is used up now.
    assert_eq!(handle.phase(), Phase::Bound);
    let run = Run::of(&server);
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
}

/// A late or a second stop was meant for the run that is over.
fn a_stop_after_the_end_does_not_end_the_next_run<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let handle = server.handle();
    let run = Run::of(&server);
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
    for _ in 0..3 {
        handle.shutdown();
    }
    assert_eq!(handle.phase(), Phase::Bound);
    let run = Run::of(&server);
    for _ in 0..2 {
        assert_eq!(
            T::connect(server.server_address()).ask("hello\n"),
            "hello\n"
        );
    }
    handle.shutdown();
    run.end();
}

fn clients_that_come_between_two_runs_are_served_by_the_next<T, M>()
where
    T: Reachable,
    M: Strategy + Default,
{
    let (server, _dir) = bound::<T, M, _>(obedient());
    for _ in 0..3 {
        let client = T::connect(server.server_address());
        client.send("hello\n");
        let run = Run::of(&server);
        assert_eq!(client.line(), "hello\n");
        server.handle().shutdown();
        run.end();
    }
    assert_eq!(server.stats().accepted, 3);
}

fn many_threads_can_stop_a_server_at_once<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    for _ in 0..3 {
        let run = Run::of(&server);
        assert_eq!(
            T::connect(server.server_address()).ask("hello\n"),
            "hello\n"
        );
        let together = Meeting::of(16);
        let threads = [(); 16].map(|()| {
            let (handle, together) = (server.handle(), together.clone());
            thread::spawn(move || {
                assert!(together.attend());
                handle.shutdown();
                handle.wait(PATIENCE)
            })
        });
        for thread in threads {
            assert!(thread.join().unwrap(), "the wait was in vain");
        }
        run.end();
    }
}

/// CPython's `test_shutdown` (T13): the stop may come before the loop has begun.
fn twenty_servers_stop_right_after_their_start<T: Reachable, M: Strategy + Default>() {
    let servers: Vec<_> = (0..20)
        .map(|_| {
            let (server, dir) = bound::<T, M, _>(obedient());
            let run = Run::of(&server);
            let stop = thread::spawn({
                let handle = server.handle();
                move || handle.shutdown()
            });
            (run, stop, server, dir)
        })
        .collect();
    for (run, stop, ..) in servers {
        stop.join().unwrap();
        run.end();
    }
}

fn a_stop_works_under_load<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let enough = Arc::new(AtomicBool::new(false));
    let clients = [(); 4].map(|()| {
        let address = server.server_address().clone();
        let enough = Arc::clone(&enough);
        thread::spawn(move || {
            while !enough.load(Ordering::SeqCst) {
                let Ok(client) = T::try_connect(&address) else {
                    return;
                };
                // Those that nobody serves any more get an error, when the server is closed.
                // Datagrams get none, so that there is no use in waiting for an answer.
                if client.try_send("hello\n").is_ok() && T::KIND == RequestKind::Connection {
                    let _ = client.try_receive();
                }
            }
        })
    });
    let handle = server.handle();
    for _ in 0..3 {
        let before = handle.stats().accepted;
        let run = Run::of(&server);
        eventually("clients are served", || {
            handle.stats().accepted >= before + 100
        });
        handle.shutdown();
        run.end();
    }
    enough.store(true, Ordering::SeqCst);
    in_time(move || drop(server));
    for client in clients {
        in_time(|| client.join()).unwrap();
    }
}

everywhere!(
    another_thread_stops_an_idle_server,
    a_handler_stops_its_server,
    a_stop_does_not_wait_for_the_poll_interval,
    a_stop_before_the_start_is_remembered,
    a_stop_after_the_end_does_not_end_the_next_run,
    clients_that_come_between_two_runs_are_served_by_the_next,
    many_threads_can_stop_a_server_at_once,
    twenty_servers_stop_right_after_their_start,
    a_stop_works_under_load,
);

/// Python's loop looks at the flag after the poll, and so does this one: no last request.
fn a_stop_goes_before_the_next_request<T: Reachable>() {
    let (server, _dir) = bound::<T, Sequential, _>(obedient());
    let clients = [(); 3].map(|()| {
        let client = T::connect(server.server_address());
        client.send("stop\n");
        client
    });
    for (served, client) in (1..).zip(&clients) {
        Run::of(&server).end();
        assert_eq!(client.line(), "stop\n");
        assert_eq!(server.stats().accepted, served);
    }
}

over!([Tcp, Udp, UnixStream, UnixDatagram] a_stop_goes_before_the_next_request);

/// What watches over the grace period of one run must not take the next for it.
#[test]
fn the_end_of_one_run_cuts_off_nobody_in_the_next() {
    const GRACE: Duration = Duration::from_millis(20);
    const RUNS: usize = 20;
    let server = TcpServer::bind(LOOPBACK, obedient()).unwrap().grace(GRACE);
    let server = Arc::new(server);
    let serving = thread::spawn({
        let server = Arc::clone(&server);
        move || (0..RUNS).try_for_each(|_| server.serve_forever())
    });
    // Connected before the previous run ends, so that its handler runs right from the start.
    let mut client = Tcp::connect(server.server_address());
    for _ in 1..RUNS {
        let next = Tcp::connect(server.server_address());
        assert_eq!(client.ask("stop\n"), "stop\n");
        thread::sleep(4 * GRACE);
        client = next;
    }
    assert_eq!(client.ask("stop\n"), "stop\n");
    in_time(|| serving.join()).unwrap().unwrap();
}

// ---- wait ----

fn waiting_tells_whether_the_loop_has_left<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let handle = server.handle();
    assert!(handle.wait(Duration::ZERO), "it does not serve yet");
    assert!(handle.wait(None));
    let run = Run::of(&server);
    assert_eq!(
        T::connect(server.server_address()).ask("hello\n"),
        "hello\n"
    );
    assert!(!handle.wait(Duration::ZERO));
    let start = Instant::now();
    assert!(!handle.wait(Duration::from_millis(30)));
    assert!(start.elapsed() >= Duration::from_millis(30));
    handle.shutdown();
    assert!(handle.wait(PATIENCE));
    assert!(handle.wait(None));
    run.end();
}

/// From a handler: under a strategy that runs it in the loop, waiting would be for itself.
fn a_handler_can_stop_its_server_and_wait<T: Reachable, M: Strategy + Default>() {
    let (waits, waited) = mpsc::channel();
    let (server, _dir) = bound::<T, M, _>(Hooks::new(move |request: &mut T::Request| {
        request.readline(100)?;
        let handle = request.server().clone();
        handle.shutdown();
        waits.send((thread::current().id(), handle.wait(PATIENCE)))?;
        Ok(())
    }));
    let run = Run::of(&server);
    let loop_thread = run.0.thread().id();
    T::connect(server.server_address()).send("?\n");
    let (thread, has_left) = next(&waited);
    if thread == loop_thread {
        assert!(!has_left);
    }
    run.end();
}

everywhere!(
    waiting_tells_whether_the_loop_has_left,
    a_handler_can_stop_its_server_and_wait,
);

// ---- handle_request ----

fn handle_request_takes_in_one_request<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let clients = [(); 3].map(|()| {
        let client = T::connect(server.server_address());
        client.send("hello\n");
        client
    });
    for (accepted, client) in (1..).zip(&clients) {
        let handled = in_time({
            let server = Arc::clone(&server);
            move || server.handle_request()
        });
        assert_eq!(handled.unwrap(), Handled::Request);
        assert_eq!(client.line(), "hello\n");
        assert_eq!(server.stats().accepted, accepted);
    }
}

fn handle_request_ends_by_a_stop<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let handle = server.handle();
    // One that is waiting, and, as the stop is asked for before it starts, one that is not yet.
    for _ in 0..5 {
        let waiting = thread::spawn({
            let server = Arc::clone(&server);
            move || server.handle_request()
        });
        handle.shutdown();
        let handled = in_time(|| waiting.join()).unwrap();
        assert_eq!(handled.unwrap(), Handled::Shutdown);
        assert!(!handle.is_shutting_down());
    }
    // That was that: requests are served again.
    let client = T::connect(server.server_address());
    client.send("hello\n");
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(client.line(), "hello\n");
}

everywhere!(
    handle_request_takes_in_one_request,
    handle_request_ends_by_a_stop,
);

/// Python: none set, no limit; one set, that one; both, the smaller.
fn handle_request_times_out_by_the_smaller_timeout<T: Reachable>() {
    const SOON: Duration = Duration::from_millis(40);
    for (own, of_socket) in [
        (Some(SOON), None),
        (None, Some(SOON)),
        (Some(SOON), Some(HOUR)),
        (Some(HOUR), Some(SOON)),
        (Some(SOON), Some(2 * SOON)),
    ] {
        let (timeouts, timed_out) = mpsc::channel();
        let service = obedient::<T::Request>().on_timeout(move || timeouts.send(()).unwrap());
        let dir = TempDir::new();
        let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
        SockRef::from(&server).set_read_timeout(of_socket).unwrap();
        let server = server.handle_request_timeout(own);
        let start = Instant::now();
        let (server, handled) = in_time(move || {
            let handled = server.handle_request();
            (server, handled)
        });
        assert_eq!(handled.unwrap(), Handled::Timeout, "{own:?} {of_socket:?}");
        assert!(start.elapsed() >= SOON, "{own:?} {of_socket:?}");
        assert_eq!(timed_out.try_iter().count(), 1, "{own:?} {of_socket:?}");

        // It is over, but the server is not; and a request that is there does not time out.
        let client = T::connect(server.server_address());
        client.send("hello\n");
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        assert_eq!(client.line(), "hello\n");
        assert_eq!(timed_out.try_iter().count(), 0);
    }
}

fn a_handle_request_timeout_of_zero_looks_once<T: Reachable>() {
    let (timeouts, timed_out) = mpsc::channel();
    let service = obedient::<T::Request>().on_timeout(move || timeouts.send(()).unwrap());
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
    let server = server.handle_request_timeout(Duration::ZERO);
    assert_eq!(server.handle_request().unwrap(), Handled::Timeout);
    assert_eq!(timed_out.try_iter().count(), 1);
    let client = T::connect(server.server_address());
    client.send("hello\n");
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(client.line(), "hello\n");
    assert_eq!(server.handle_request().unwrap(), Handled::Timeout);
    assert_eq!(timed_out.try_iter().count(), 1);
}

over!([Tcp, Udp, UnixStream, UnixDatagram]
    handle_request_times_out_by_the_smaller_timeout,
    a_handle_request_timeout_of_zero_looks_once,
);

/// Only `handle_request` looks at it.
#[test]
fn the_timeout_of_handle_request_does_not_end_serve_forever() {
    let (actions, acted) = mpsc::channel();
    let service = obedient::<TcpRequest>().on_actions(move || {
        let _ = actions.send(());
    });
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server
        .handle_request_timeout(Duration::ZERO)
        .poll_interval(Duration::from_millis(5));
    let server = server.spawn().unwrap();
    for _ in 0..3 {
        next(&acted);
    }
    assert_eq!(
        Tcp::connect(server.server_address()).ask("hello\n"),
        "hello\n"
    );
}

#[test]
fn handle_request_counts_a_refused_request_too() {
    let service = obedient::<TcpRequest>().on_verify(|_| false);
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let client = Tcp::connect(server.server_address());
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    client.expect_end();
}

// ---- one at a time ----

fn a_server_that_serves_cannot_serve_twice<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let run = Run::of(&server);
    assert_eq!(
        T::connect(server.server_address()).ask("hello\n"),
        "hello\n"
    );
    assert!(matches!(server.serve_forever(), Err(Error::AlreadyServing)));
    assert!(matches!(
        server.handle_request(),
        Err(Error::AlreadyServing)
    ));
    // The first one does not mind.
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
    let run = Run::of(&server);
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
}

everywhere!(a_server_that_serves_cannot_serve_twice);

#[test]
fn a_handler_cannot_serve_its_own_server() {
    type Itself = Server<Tcp, Hooks<TcpRequest>, Sequential>;
    let itself: Arc<OnceLock<Weak<Itself>>> = Arc::default();
    let service = Hooks::new({
        let itself = Arc::clone(&itself);
        move |request: &mut TcpRequest| {
            let server = itself.get().and_then(Weak::upgrade).unwrap();
            request.server().shutdown();
            Ok(server.serve_forever()?)
        }
    });
    let (service, failures) = service.failures();
    let server = Arc::new(TcpServer::bind(LOOPBACK, service).unwrap());
    itself.set(Arc::downgrade(&server)).unwrap();
    let run = Run::of(&server);
    Tcp::connect(server.server_address()).expect_end();
    let expected = format!("handle failed: {}", Error::AlreadyServing);
    assert_eq!(next(&failures).text, expected);
    run.end();
}

// ---- activate(false) ----

/// For datagrams there is no listening: they could be sent, but not served.
fn a_server_that_is_not_activated_does_not_serve<T: Reachable>() {
    let dir = TempDir::new();
    let bind = || T::bind::<_, Threading>(&dir, Server::options().activate(false), obedient());
    assert!(matches!(bind().unwrap().spawn(), Err(Error::NotActivated)));

    let server = bind().unwrap();
    assert!(matches!(server.serve_forever(), Err(Error::NotActivated)));
    assert!(matches!(server.handle_request(), Err(Error::NotActivated)));
    let address = server.server_address().clone();
    if T::KIND == RequestKind::Connection {
        let refused = T::try_connect(&address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    server.server_activate().unwrap();
    server.server_activate().unwrap();
    let client = T::connect(&address);
    client.send("hello\n");
    let server = server.spawn().unwrap();
    assert_eq!(client.line(), "hello\n");
    assert_eq!(*server.server_address(), address);
}

over!([Tcp, Udp, UnixStream, UnixDatagram] a_server_that_is_not_activated_does_not_serve);

// ---- spawn ----

/// The end of the block, which is where Python's `with` ends.
#[test]
fn dropping_a_running_server_gives_back_its_port() {
    let address = own_loopback();
    let server = ThreadingTcpServer::bind(address, || LineEcho).unwrap();
    let address = *server.server_address();
    for _ in 0..5 {
        let server = ThreadingTcpServer::bind(address, || LineEcho);
        assert!(matches!(server, Err(Error::Bind { .. })));
    }
    drop(server);
    for _ in 0..5 {
        let server = ThreadingTcpServer::bind(address, || LineEcho).unwrap();
        let server = server.spawn().unwrap();
        assert_eq!(Tcp::connect(&address).ask("hello\n"), "hello\n");
        in_time(|| drop(server));
        let refused = Tcp::try_connect(&address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }

    let address = own_loopback();
    let server = UdpServer::bind(address, || LineEcho).unwrap();
    let address = *server.server_address();
    let server = server.spawn().unwrap();
    in_time(|| drop(server));
    drop(UdpServer::bind(address, || LineEcho).unwrap());
}

/// As in Python.
#[test]
fn the_file_of_a_unix_server_stays() {
    let dir = TempDir::new();
    let path = dir.socket();
    let server = UnixStreamServer::bind(&path, || LineEcho).unwrap();
    let address = server.server_address().clone();
    drop(server.spawn().unwrap());
    let refused = UnixStream::try_connect(&address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(UnixStreamServer::bind(&path, || LineEcho).is_err());
    std::fs::remove_file(&path).unwrap();
    drop(UnixStreamServer::bind(&path, || LineEcho).unwrap());
}

#[test]
fn a_running_server_is_a_server() {
    let server = ThreadingTcpServer::bind(LOOPBACK, obedient()).unwrap();
    let address = *server.server_address();
    let server = server.spawn().unwrap();
    assert_eq!(*server.server_address(), address);
    assert!(matches!(server.serve_forever(), Err(Error::AlreadyServing)));
    assert!(format!("{server:?}").contains(&address.to_string()));
    assert!(!server.handle().is_shutting_down());
    assert_eq!(Tcp::connect(&address).ask("stop\n"), "stop\n");
    // It can have ended by itself; there is still something to close.
    assert!(server.handle().wait(PATIENCE));
    in_time(|| server.stop()).unwrap();
}

fn a_spawned_server_can_be_stopped_before_it_began<T: Reachable, M: Strategy + Default>() {
    for _ in 0..20 {
        let (server, _dir) = bound::<T, M, _>(obedient());
        let server = Arc::into_inner(server).unwrap();
        let handle = server.handle();
        handle.shutdown();
        let server = server.spawn().unwrap();
        assert!(handle.wait(PATIENCE));
        in_time(|| server.stop()).unwrap();
        host::<T, M, _>(obedient()).stop();
    }
}

everywhere!(a_spawned_server_can_be_stopped_before_it_began);

// ---- service_actions ----

fn service_actions_follow_each_request<T: Reachable, M: Strategy + Default>() {
    let (actions, acted) = mpsc::channel();
    let service = obedient::<T::Request>().on_actions(move || {
        let _ = actions.send(());
    });
    let host = host_with::<T, M, _, _>(
        service,
        |options| options,
        |server| server.poll_interval(None),
    );
    for _ in 0..3 {
        acted.try_iter().for_each(drop);
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        next(&acted);
    }
}

fn service_actions_are_called_while_nothing_happens<T: Reachable, M: Strategy + Default>() {
    const INTERVAL: Duration = Duration::from_millis(20);
    let (actions, acted) = mpsc::channel();
    let service = obedient::<T::Request>().on_actions(move || {
        let _ = actions.send(Instant::now());
    });
    let host = host_with::<T, M, _, _>(
        service,
        |options| options,
        |server| server.poll_interval(INTERVAL),
    );
    let times = [(); 4].map(|()| next(&acted));
    // Not more often than that, either.
    assert!(times[3] - times[0] >= 2 * INTERVAL, "{times:?}");
    host.stop();
}

everywhere!(
    service_actions_follow_each_request,
    service_actions_are_called_while_nothing_happens,
);

/// Python: never from `handle_request`.
#[test]
fn service_actions_are_not_called_by_handle_request() {
    let (actions, acted) = mpsc::channel();
    let service = obedient::<TcpRequest>().on_actions(move || actions.send(()).unwrap());
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let client = Tcp::connect(server.server_address());
    client.send("hello\n");
    server.handle_request().unwrap();
    assert_eq!(client.line(), "hello\n");
    assert_eq!(acted.try_iter().count(), 0);
}

// ---- is_shutting_down ----

/// A handler that works without reading or writing can see that it should come to an end.
fn a_handler_sees_that_the_server_is_closed<M: Strategy + Default>() {
    let (started, starts) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let handle: ServerHandle = request.server().clone();
        let before = handle.is_shutting_down();
        let _ = started.send(());
        eventually("the server is closed", || handle.is_shutting_down());
        let _ = ended.send(before);
        Ok(())
    });
    let host =
        host_with::<Tcp, M, _, _>(service, |options| options, |server| server.grace(PATIENCE));
    let client = host.client();
    next(&starts);
    let report = host.stop();
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (0, 0));
    assert!(!next(&ends), "it seemed to be closed before");
    client.expect_end();
}

by_strategy!(a_handler_sees_that_the_server_is_closed);
