//! The phases of a stop: lame duck, draining, closing, stopped; and who can be asked meanwhile.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socketserver::RequestKind;
use socketserver::transport::{Tcp, UnixStream};
use socketserver::{
    Activity, Phase, Request, RequestInfo, Sequential, Server, ServerHandle, Service, Strategy,
    ThreadPool, Threading,
};

use crate::support::net::*;

const SHORT: Duration = Duration::from_millis(50);
const HOUR: Duration = Duration::from_secs(3600);

fn patient<T, M, S>(
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

/// A lame duck serves whoever comes, says that it is not ready, and stops when its time is over.
fn a_lame_duck_serves_and_is_not_ready<T: Reachable, M: Strategy + Default>() {
    let lame = Duration::from_millis(300);
    let host = patient::<T, M, _>(Hooks::<T::Request>::echo(), |server| server.lame_duck(lame));
    let handle = host.server.handle();
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    assert!(handle.is_ready() && !handle.is_shutting_down());
    assert_eq!(handle.phase(), Phase::Serving);

    let begun = Instant::now();
    handle.shutdown();
    handle.shutdown();
    assert!(!handle.is_ready() && handle.is_shutting_down());
    let phase = handle.phase();
    if begun.elapsed() < lame / 2 {
        // (A busy machine may have let the time go by.)
        assert_eq!(phase, Phase::LameDuck);
        assert_eq!(host.client().ask("you too\n"), "you too\n");
    }
    assert!(handle.wait(PATIENCE));
    assert!(begun.elapsed() >= lame);
    host.stop();
    assert_eq!(handle.phase(), Phase::Stopped);
}

everywhere!(a_lame_duck_serves_and_is_not_ready);

/// The stop is known to everybody; what a lame duck takes in is in the books.
fn what_comes_to_a_lame_duck_is_in_the_report<T: Connected, M: Strategy + Default>() {
    let lame = Duration::from_secs(1);
    let host = patient::<T, M, _>(Hooks::<T::Request>::echo(), |server| {
        server.lame_duck(lame).grace_period(PATIENCE)
    });
    let handle = host.server.handle();
    let first = host.client();
    assert_eq!(first.ask("hello\n"), "hello\n");
    let address = host.server.server_address().clone();
    let stopping = thread::spawn(move || host.stop());
    eventually("it is a lame duck", || handle.is_shutting_down());
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
fn lame_ducks_keep_books() {
    what_comes_to_a_lame_duck_is_in_the_report::<Tcp, Threading>();
    what_comes_to_a_lame_duck_is_in_the_report::<UnixStream, ThreadPool>();
    what_comes_to_a_lame_duck_is_in_the_report::<Tcp, socketserver::Coroutines>();
}

/// While a stop waits, one can ask for whom, and let them go.
fn whom_a_stop_waits_for_can_be_asked<T: Connected, M: Strategy + Default>() {
    let host = patient::<T, M, _>(Hooks::<T::Request>::echo(), |server| {
        server.grace_period(HOUR)
    });
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    // The client may have read them before they are counted.
    eventually("they are sent", || handle.requests()[0].bytes_sent() == 6);
    let stopping = thread::spawn(move || host.stop());
    eventually("it is draining", || handle.phase() == Phase::Draining);
    let [request] = &handle.requests()[..] else {
        panic!("it waits for one");
    };
    assert_eq!((request.bytes_received(), request.bytes_sent()), (6, 6));
    assert!(!stopping.is_finished());
    // That is what it takes to go on.
    request.close();
    let report = in_time(move || stopping.join()).unwrap();
    assert_eq!((report.completed, report.force_closed.len()), (1, 0));
    client.expect_end();
}

/// Says who was cut off while doing what; and the text says it too.
fn the_report_names_who_was_cut_off<T: Connected, M: Strategy + Default>() {
    let host = patient::<T, M, _>(Hooks::<T::Request>::echo(), |server| {
        server.grace_period(SHORT)
    });
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    let handle = host.server.handle();
    eventually("its handler waits for more", || {
        handle.requests()[0].activity() == Activity::Reading
    });
    let report = host.stop();
    let [cut] = &report.force_closed[..] else {
        panic!("one was cut off: {report}");
    };
    assert_eq!(cut.activity(), Activity::Reading);
    assert!(cut.age() >= SHORT / 2, "{cut}");
    let text = report.to_string();
    assert!(
        text.contains("1 interrupted, 0 abandoned\ninterrupted: "),
        "{text}"
    );
    assert!(handle.requests().is_empty());
}

over_streams_by_strategy!(
    whom_a_stop_waits_for_can_be_asked,
    the_report_names_who_was_cut_off,
);

/// Whether there are so many clients, and the handlers of all wait for something to read.
fn all_read(handle: &ServerHandle, clients: usize) -> bool {
    let requests = handle.requests();
    let reading = |request: &RequestInfo| request.activity() == Activity::Reading;
    requests.len() == clients && requests.iter().all(reading)
}

/// Not all at once: one after the other, over the time that was asked for.
#[test]
fn closing_can_be_spread_over_a_time() {
    const CLIENTS: usize = 5;
    let time = Duration::from_secs(1);
    let (ended, ends) = mpsc::channel();
    let service = Hooks::new(move |request: &mut socketserver::TcpRequest| {
        let result = request.recv(1);
        let _ = ended.send(Instant::now());
        Ok(result.map(drop)?)
    });
    let host = patient::<Tcp, Threading, _>(service, |server| {
        server.grace_period(Duration::ZERO).force_close_spread(time)
    });
    let clients = [(); CLIENTS].map(|()| host.client());
    let handle = host.server.handle();
    eventually("all are there", || all_read(&handle, CLIENTS));
    let start = Instant::now();
    let report = host.stop();
    assert_eq!(report.force_closed.len(), CLIENTS);
    // The first goes at once, and the last has four fifths of it.
    let last = ends.iter().take(CLIENTS).max().unwrap();
    assert!(last - start >= time / 5 * 4, "all at once");
    drop(clients);
}

/// Those who end meanwhile are not waited for.
#[test]
fn spreading_ends_with_the_last_request() {
    let host = patient::<Tcp, Threading, _>(Hooks::<socketserver::TcpRequest>::echo(), |server| {
        server.grace_period(Duration::ZERO).force_close_spread(HOUR)
    });
    let handle = host.server.handle();
    let clients = [(); 3].map(|()| host.client());
    eventually("all are there", || all_read(&handle, 3));
    let stopping = thread::spawn(move || host.stop());
    eventually("it cuts them off", || handle.phase() == Phase::Closing);
    drop(clients);
    let report = in_time(move || stopping.join()).unwrap();
    assert_eq!(report.force_closed.len() + report.completed, 3);
}

/// A stop that was asked for long ago has used up the grace period.
#[test]
fn the_grace_period_begins_with_the_stop() {
    let grace = Duration::from_millis(500);
    let host = patient::<Tcp, Threading, _>(Hooks::<socketserver::TcpRequest>::echo(), |server| {
        server.grace_period(grace)
    });
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    handle.shutdown();
    assert!(handle.wait(PATIENCE));
    thread::sleep(grace);
    let begun = Instant::now();
    let report = host.stop();
    assert_eq!(report.force_closed.len(), 1);
    assert!(begun.elapsed() < grace, "it has begun anew");
}

/// Whatever stops it, from wherever, as often as one likes.
fn everybody_may_stop_it_at_once<T: Reachable, M: Strategy + Default>() {
    let host = patient::<T, M, _>(Hooks::<T::Request>::echo(), |server| {
        server.grace_period(SHORT)
    });
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
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

everywhere!(everybody_may_stop_it_at_once);

/// A listening socket that was inherited may be somebody else's, too: who waits there is left to them.
#[test]
fn clients_of_an_inherited_socket_are_left_to_others() {
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let other = listener.try_clone().unwrap();
    let service = Hooks::<socketserver::TcpRequest>::echo();
    let server = Server::<Tcp, _, Sequential>::from_listener(listener, service).unwrap();
    let client = Tcp::connect(server.server_address());
    client.send("hello\n");
    let report = server.server_close();
    assert_eq!(report.accepted, 0);
    // And those who come later can still connect.
    let server = Server::<Tcp, _, Threading>::from_listener(other, Hooks::echo()).unwrap();
    let server = server.spawn().unwrap();
    assert_eq!(client.line(), "hello\n");
    assert_eq!(
        Tcp::connect(server.server_address()).ask("me too\n"),
        "me too\n"
    );
}
