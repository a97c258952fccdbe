//! The phases of a stop: lame duck, draining, closing, stopped.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socketserver::RequestKind;
use socketserver::transport::Tcp;
#[cfg(unix)]
use socketserver::transport::UnixStream;
use socketserver::{
    Activity, Phase, Request, RequestInfo, Sequential, Server, ServerHandle, Service, Strategy,
    ThreadPool, Threading,
};

use crate::support::net::*;

const SHORT: Duration = Duration::from_millis(50);
const HOUR: Duration = Duration::from_secs(3600);

fn start<T, M, S>(
    service: S,
    adjust: impl FnOnce(Server<T, S, M>) -> Server<T, S, M>,
) -> Host<T, S, M>
where
    T: Reachable,
    M: Strategy + Default,
    S: Service<T::Request>,
{
    host_with::<T, M, _, _>(service, |options| options, adjust)
}

/// A lame duck serves new clients, reports that it is not ready, and stops when its time expires.
fn a_lame_duck_serves_and_is_not_ready<T: Reachable, M: Strategy + Default>() {
    let lame = Duration::from_millis(300);
    let stop = || {
        let host = start::<T, M, _>(Hooks::<T::Request>::echo(), |server| server.lame_duck(lame));
        let handle = host.server.handle();
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        assert!(handle.is_ready() && !handle.is_shutting_down());
        assert_eq!(handle.phase(), Phase::Serving);

        let begun = Instant::now();
        handle.shutdown();
        handle.shutdown();
        assert!(!handle.is_ready() && handle.is_shutting_down());
        let phase = handle.phase();
        let answer = T::try_connect(host.server.server_address()).and_then(|client| {
            client.socket().set_read_timeout(Some(2 * lame))?;
            client.try_send("you too\n")?;
            client.try_receive()
        });
        let remains = handle.phase() == Phase::LameDuck;
        if remains {
            assert_eq!(phase, Phase::LameDuck);
            assert_eq!(answer.unwrap(), b"you too\n");
        }
        assert!(handle.wait(PATIENCE));
        assert!(begun.elapsed() >= lame);
        host.stop();
        assert_eq!(handle.phase(), Phase::Stopped);
        remains
    };
    // On a busy machine the time may expire before the client is answered, but not each time.
    let remains = up_to_ten(stop, |remains| *remains);
    assert!(remains.ends_with(&[true]), "the time expires too soon");
}

everywhere!(a_lame_duck_serves_and_is_not_ready);

/// The report counts requests that a lame duck accepts.
fn the_report_counts_requests_to_a_lame_duck<T: Connected, M: Strategy + Default>() {
    let lame = Duration::from_secs(1);
    let host = start::<T, M, _>(Hooks::<T::Request>::echo(), |server| {
        server.lame_duck(lame).grace_period(PATIENCE)
    });
    let handle = host.server.handle();
    let first = host.client();
    assert_eq!(first.ask("hello\n"), "hello\n");
    let address = host.server.server_address().clone();
    let stopping = thread::spawn(move || host.stop());
    eventually("the server is a lame duck", || handle.is_shutting_down());
    let second = T::connect(&address);
    assert_eq!(second.ask("hello\n"), "hello\n");
    drop((first, second));
    let report = stopping.join().unwrap();
    assert_eq!(
        (report.running, report.accepted, report.completed),
        (1, 1, 2)
    );
    assert!(report.took >= lame);
}

#[test]
fn reports_count_requests_to_lame_ducks() {
    the_report_counts_requests_to_a_lame_duck::<Tcp, Threading>();
    #[cfg(unix)]
    the_report_counts_requests_to_a_lame_duck::<UnixStream, ThreadPool>();
    the_report_counts_requests_to_a_lame_duck::<Tcp, socketserver::Coroutines>();
}

/// The requests that a stop waits for can be listed and closed.
fn requests_that_a_stop_waits_for_can_be_listed<T: Connected, M: Strategy + Default>() {
    let host = start::<T, M, _>(Hooks::<T::Request>::echo(), |server| {
        server.grace_period(HOUR)
    });
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    // The client may read the answer before its bytes are counted.
    eventually("the bytes are counted", || {
        handle.requests()[0].bytes_sent() == 6
    });
    let stopping = thread::spawn(move || host.stop());
    eventually("the server is draining", || {
        handle.phase() == Phase::Draining
    });
    let [request] = &handle.requests()[..] else {
        panic!("not one request: {:?}", handle.requests());
    };
    assert_eq!((request.bytes_received(), request.bytes_sent()), (6, 6));
    assert!(!stopping.is_finished());
    request.close();
    let report = in_time(move || stopping.join()).unwrap();
    assert_eq!((report.completed, report.force_closed.len()), (1, 0));
    client.expect_end();
}

/// The report lists each force-closed request with its activity, in its fields and in its text.
fn the_report_lists_force_closed_requests<T: Connected, M: Strategy + Default>() {
    let host = start::<T, M, _>(Hooks::<T::Request>::echo(), |server| {
        server.grace_period(SHORT)
    });
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    let handle = host.server.handle();
    eventually("the handler reads", || {
        handle.requests()[0].activity() == Activity::Reading
    });
    let report = host.stop();
    let [request] = &report.force_closed[..] else {
        panic!("not one force-closed request: {report}");
    };
    assert_eq!(request.activity(), Activity::Reading);
    assert!(request.age() >= SHORT / 2, "{request}");
    let text = report.to_string();
    assert!(
        text.contains("1 force-closed, 0 abandoned\nforce-closed: "),
        "{text}"
    );
    assert!(handle.requests().is_empty());
}

over_streams_by_strategy!(
    requests_that_a_stop_waits_for_can_be_listed,
    the_report_lists_force_closed_requests,
);

/// Returns whether there are `clients` requests and all of their handlers read.
fn all_read(handle: &ServerHandle, clients: usize) -> bool {
    let requests = handle.requests();
    let reading = |request: &RequestInfo| request.activity() == Activity::Reading;
    requests.len() == clients && requests.iter().all(reading)
}

/// Requests are force-closed one after the other, over the given time.
#[test]
fn force_closing_can_be_spread_over_a_time() {
    const CLIENTS: usize = 5;
    let time = Duration::from_secs(1);
    let (ended, ends) = mpsc::channel();
    let service = Hooks::new(move |request: &mut socketserver::TcpRequest| {
        let result = request.recv(1);
        let _ = ended.send(Instant::now());
        Ok(result.map(drop)?)
    });
    let host = start::<Tcp, Threading, _>(service, |server| {
        server.grace_period(Duration::ZERO).force_close_spread(time)
    });
    let clients = [(); CLIENTS].map(|()| host.client());
    let handle = host.server.handle();
    eventually("all handlers read", || all_read(&handle, CLIENTS));
    let start = Instant::now();
    let report = host.stop();
    assert_eq!(report.force_closed.len(), CLIENTS);
    // The first of five is closed at once, so the last one is closed after four fifths of the time.
    let last = ends.iter().take(CLIENTS).max().unwrap();
    assert!(
        last - start >= time / 5 * 4,
        "closed within {:?}",
        last - start
    );
    drop(clients);
}

/// The stop does not wait for the rest of the time when the last request has ended.
#[test]
fn spreading_ends_with_the_last_request() {
    let host = start::<Tcp, Threading, _>(Hooks::<socketserver::TcpRequest>::echo(), |server| {
        server.grace_period(Duration::ZERO).force_close_spread(HOUR)
    });
    let handle = host.server.handle();
    let clients = [(); 3].map(|()| host.client());
    eventually("all handlers read", || all_read(&handle, 3));
    let stopping = thread::spawn(move || host.stop());
    eventually("the server force-closes requests", || {
        handle.phase() == Phase::Closing
    });
    drop(clients);
    let report = in_time(move || stopping.join()).unwrap();
    assert_eq!(report.force_closed.len() + report.completed, 3);
}

/// The grace period begins when the stop is requested, so none of it may remain when the server is closed.
#[test]
fn the_grace_period_begins_with_the_stop() {
    let mut grace = Duration::ZERO;
    let stop = || {
        grace += Duration::from_millis(500);
        let service = Hooks::<socketserver::TcpRequest>::echo();
        let host = start::<Tcp, Threading, _>(service, |server| server.grace_period(grace));
        let handle = host.server.handle();
        let client = host.client();
        assert_eq!(client.ask("hello\n"), "hello\n");
        handle.shutdown();
        assert!(handle.wait(PATIENCE));
        thread::sleep(grace);
        let begun = Instant::now();
        let report = host.stop();
        assert_eq!(report.force_closed.len(), 1);
        begun.elapsed() < grace
    };
    // A busy machine can delay a stop, but not each of ten.
    let in_time = up_to_ten(stop, |in_time| *in_time);
    assert!(
        in_time.ends_with(&[true]),
        "the grace period has begun a second time"
    );
}

/// Any number of threads can request the stop at the same time, any number of times.
fn many_threads_may_stop_it_at_once<T: Reachable, M: Strategy + Default>() {
    let host = start::<T, M, _>(Hooks::<T::Request>::echo(), |server| {
        server.grace_period(SHORT)
    });
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    if T::KIND != RequestKind::Connection {
        // The client may read the answer before its request has ended.
        eventually("the request has ended", || handle.stats().completed == 1);
    }
    let stoppers: Vec<_> = (0..8)
        .map(|_| {
            let handle = handle.clone();
            thread::spawn(move || {
                for _ in 0..100 {
                    handle.shutdown();
                    handle.phase();
                    handle.requests();
                }
            })
        })
        .collect();
    let report = host.stop();
    for stopper in stoppers {
        stopper.join().unwrap();
    }
    let connected = usize::from(T::KIND == RequestKind::Connection);
    assert_eq!(
        (report.force_closed.len(), report.abandoned.len()),
        (connected, 0)
    );
    assert_eq!(handle.phase(), Phase::Stopped);
}

everywhere!(many_threads_may_stop_it_at_once);

/// Another process may accept from an inherited listener, too, so a server that closes leaves the backlog to it.
#[test]
fn the_backlog_of_an_inherited_listener_is_left_to_others() {
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let other = listener.try_clone().unwrap();
    let service = Hooks::<socketserver::TcpRequest>::echo();
    let server = Server::<Tcp, _, Sequential>::from_listener(listener, service).unwrap();
    let client = Tcp::connect(server.server_address());
    client.send("hello\n");
    let report = server.server_close();
    assert_eq!(report.accepted, 0);
    // Later clients can still connect.
    let server = Server::<Tcp, _, Threading>::from_listener(other, Hooks::echo()).unwrap();
    let server = server.spawn().unwrap();
    assert_eq!(client.line(), "hello\n");
    assert_eq!(
        Tcp::connect(server.server_address()).ask("me too\n"),
        "me too\n"
    );
}
