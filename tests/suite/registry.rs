//! Live requests: listing them, writing to their clients, closing them, and waiting until none is left.

use std::io::ErrorKind;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socketserver::transport::{Tcp, Udp};
#[cfg(unix)]
use socketserver::transport::{UnixDatagram, UnixStream};
use socketserver::{Activity, Request, Sequential, SocketAddress, Strategy, ThreadPool, Threading};

use crate::support::alone::{apart, test_name};
use crate::support::net::*;

const SHORT: Duration = Duration::from_millis(50);

/// Each request is listed with its details until it ends.
fn live_requests_are_listed<T: Connected, M: Strategy + Default>() {
    let host = host::<T, M, _>(Hooks::<T::Request>::echo());
    let handle = host.server.handle();
    assert!(handle.requests().is_empty());
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    eventually("the handler reads", || {
        handle.requests()[0].activity() == Activity::Reading
    });
    let [request] = &handle.requests()[..] else {
        panic!("not one request: {:?}", handle.requests());
    };
    assert_eq!((request.bytes_received(), request.bytes_sent()), (6, 6));
    assert!(request.idle() <= request.age() && request.age() < PATIENCE);
    assert_eq!(request.process_id(), None);
    if let SocketAddress::Inet(address) = request.client_address() {
        let local = client.socket().local_addr().unwrap();
        assert_eq!(Some(*address), local.as_socket());
    }
    let line = request.to_string();
    assert!(
        line.contains("reading") && line.ends_with("6 bytes in, 6 out"),
        "{line}"
    );

    let stats = handle.stats();
    assert_eq!((stats.bytes_received, stats.bytes_sent), (6, 6));
    client.finish();
    client.expect_end();
    assert!(handle.wait_until_idle(PATIENCE));
    eventually("no request is listed", || handle.requests().is_empty());
    let stats = handle.stats();
    assert_eq!((stats.bytes_received, stats.bytes_sent), (6, 6));
}

/// The list gives access to each client.
fn one_client_can_be_written_to_and_closed<T: Connected, M: Strategy + Default>() {
    let host = host::<T, M, _>(Hooks::<T::Request>::echo());
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    let request = &handle.requests()[0];
    request
        .sender()
        .unwrap()
        .send_all("you have to go\n")
        .unwrap();
    assert_eq!(client.line(), "you have to go\n");
    request.close();
    client.expect_end();
    eventually("no request is listed", || handle.requests().is_empty());
    assert!(handle.wait_until_idle(PATIENCE));
    assert_eq!(handle.stats().completed, 1);
    assert_eq!(handle.stats().force_closed, 0);
}

fn waiting_until_idle_ends_in_time<T: Connected, M: Strategy + Default>() {
    let host = host::<T, M, _>(Hooks::<T::Request>::echo());
    let handle = host.server.handle();
    assert!(handle.wait_until_idle(None));
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    assert!(!handle.wait_until_idle(SHORT));
    let waiting = thread::spawn(move || handle.wait_until_idle(PATIENCE));
    drop(client);
    assert!(waiting.join().unwrap());
}

over_streams_by_strategy!(
    live_requests_are_listed,
    one_client_can_be_written_to_and_closed,
    waiting_until_idle_ends_in_time,
);

/// The call returns `false` at once, because the handler would wait for itself.
fn a_handler_does_not_wait_until_its_server_is_idle<M: Strategy + Default>() {
    let service = Hooks::new(|request: &mut socketserver::TcpRequest| {
        let idle = request.server().wait_until_idle(None);
        Ok(request.send_all(format!("{idle}\n"))?)
    });
    let host = host::<Tcp, M, _>(service);
    assert_eq!(host.client().line(), "false\n");
}

by_strategy!(a_handler_does_not_wait_until_its_server_is_idle);

/// A broadcast ends within its time limit although clients do not read. Clients that read get the whole message.
fn a_slow_client_does_not_hold_up_a_broadcast<T: Connected, M: Strategy + Default>() {
    let host = host::<T, M, _>(Hooks::<T::Request>::echo());
    let handle = host.server.handle();
    // The clients connect one after the other, because the list has the order of acceptance.
    let clients = [(); 4].map(|()| {
        let client = host.client();
        assert_eq!(client.ask("hello\n"), "hello\n");
        client
    });
    let mut message = vec![b'x'; 8 << 20];
    message.push(b'\n');
    let size = message.len();
    let [first, second, third, fourth] = clients;
    let readers = [first, third].map(|client| thread::spawn(move || client.exactly(size)));
    let begun = Instant::now();
    let sent = handle.broadcast(&message, Duration::from_secs(4));
    assert!(
        begun.elapsed() < PATIENCE,
        "the broadcast waited for clients that do not read"
    );
    let kinds: Vec<_> = sent
        .iter()
        .map(|(_, result)| result.as_ref().err().map(|error| error.kind()))
        .collect();
    let late = Some(ErrorKind::TimedOut);
    assert_eq!(kinds, [None, late, None, late]);
    for reader in readers {
        assert!(reader.join().unwrap() == message);
    }
    // The other clients get a part of the message, then the end of the stream.
    for client in [second, fourth] {
        let rest = client.rest();
        assert!(rest.len() < size && message.starts_with(&rest));
    }
    eventually("all requests have ended", || handle.stats().active == 0);
}

mod at_once {
    use super::*;

    #[test]
    fn threading_tcp() {
        a_slow_client_does_not_hold_up_a_broadcast::<Tcp, Threading>();
    }

    #[cfg(unix)]
    #[test]
    fn thread_pool_unix() {
        a_slow_client_does_not_hold_up_a_broadcast::<UnixStream, ThreadPool>();
    }

    #[test]
    fn coroutines_tcp() {
        a_slow_client_does_not_hold_up_a_broadcast::<Tcp, socketserver::Coroutines>();
    }
}

/// A sender that a client blocks gives up after its time limit and closes the connection.
fn a_sender_waits_for_a_slow_client_within_its_time_limit<T: Connected, M: Strategy + Default>() {
    let host = host::<T, M, _>(Hooks::<T::Request>::echo());
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    let requests = handle.requests();
    let sender = requests[0].sender().unwrap();
    sender.send_all_within("short\n", PATIENCE).unwrap();
    assert_eq!(client.line(), "short\n");
    let error = sender
        .send_all_within(vec![b'x'; 8 << 20], SHORT)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(client.rest().len() < 8 << 20);
    assert!(handle.wait_until_idle(PATIENCE));
    let error = sender.send_all_within("?", PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
}

over_streams_by_strategy!(a_sender_waits_for_a_slow_client_within_its_time_limit);

/// A broadcast waits, within its time limit, while a handler writes to the same client.
#[test]
fn a_broadcast_waits_for_its_turn() {
    let big = vec![b'b'; 8 << 20];
    let size = big.len();
    let service = Hooks::new(move |request: &mut socketserver::TcpRequest| {
        request.send_all(&big)?;
        Ok(request.readline(10).map(drop)?)
    });
    let host = host::<Tcp, Threading, _>(service);
    let handle = host.server.handle();
    let client = host.client();
    eventually("the handler writes", || {
        handle
            .requests()
            .iter()
            .any(|r| r.activity() == Activity::Writing)
    });
    let late = handle.broadcast("too late\n", SHORT);
    assert_eq!(late[0].1.as_ref().unwrap_err().kind(), ErrorKind::TimedOut);
    let sending = thread::spawn(move || handle.broadcast("in time\n", PATIENCE));
    assert_eq!(client.exactly(size), vec![b'b'; size]);
    assert_eq!(client.line(), "in time\n");
    assert!(sending.join().unwrap()[0].1.is_ok());
}

/// A handler may send to all clients, its own included.
fn a_handler_can_broadcast<M: Strategy + Default>() {
    let service = Hooks::new(|request: &mut socketserver::TcpRequest| {
        let handle = request.server().clone();
        while let Some(line) = request.next_line(100)? {
            let sent = handle.broadcast(line, Duration::from_secs(10));
            assert!(sent.iter().all(|(_, result)| result.is_ok()));
        }
        Ok(())
    });
    let host = host::<Tcp, M, _>(service);
    let clients = [(); 3].map(|()| host.client());
    let handle = host.server.handle();
    eventually("all clients are connected", || handle.requests().len() == 3);
    clients[1].send("hello\n");
    for client in &clients {
        assert_eq!(client.line(), "hello\n");
    }
}

#[test]
fn handlers_can_broadcast() {
    a_handler_can_broadcast::<Threading>();
    a_handler_can_broadcast::<ThreadPool>();
    a_handler_can_broadcast::<socketserver::Coroutines>();
}

/// Datagrams are listed while they are served, under every strategy. They have no sender, because there is no
/// connection.
fn datagrams_are_listed_while_they_are_served<T: Reachable, M: Strategy + Default>() {
    let (started, starts) = mpsc::channel();
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |_: &mut T::Request| {
            let _ = started.send(());
            gate.pass();
            Ok(())
        }
    });
    let host = host::<T, M, _>(service);
    let handle = host.server.handle();
    let client = host.client();
    client.send("?\n");
    next(&starts);
    let [request] = &handle.requests()[..] else {
        panic!("not one request: {:?}", handle.requests());
    };
    assert_eq!(request.activity(), Activity::Running);
    assert!(request.sender().is_none());
    if let SocketAddress::Inet(address) = request.client_address() {
        let local = client.socket().local_addr().unwrap();
        assert_eq!(Some(*address), local.as_socket());
    }
    gate.open();
    eventually("no request is listed", || handle.requests().is_empty());
    assert_eq!(handle.stats().bytes_received, 2);
}

mod datagrams {
    use super::*;

    #[test]
    fn udp() {
        datagrams_are_listed_while_they_are_served::<Udp, Sequential>();
        datagrams_are_listed_while_they_are_served::<Udp, Threading>();
        datagrams_are_listed_while_they_are_served::<Udp, ThreadPool>();
        datagrams_are_listed_while_they_are_served::<Udp, socketserver::Coroutines>();
    }

    #[cfg(unix)]
    #[test]
    fn unix() {
        datagrams_are_listed_while_they_are_served::<UnixDatagram, Sequential>();
        datagrams_are_listed_while_they_are_served::<UnixDatagram, Threading>();
        datagrams_are_listed_while_they_are_served::<UnixDatagram, ThreadPool>();
    }
}

/// A request in a child process is listed with its process id.
#[cfg(unix)]
#[test]
fn requests_in_children_are_listed() {
    apart(test_name!("requests_in_children_are_listed"), || {
        let host = host_by::<Tcp, _, _>(forking(), Hooks::<socketserver::TcpRequest>::echo());
        let handle = host.server.handle();
        let client = host.client();
        assert_eq!(client.ask("hello\n"), "hello\n");
        eventually("the process id is listed", || {
            handle.requests().iter().all(|r| r.process_id().is_some())
        });
        let [request] = &handle.requests()[..] else {
            panic!("not one request: {:?}", handle.requests());
        };
        let local = client.socket().local_addr().unwrap();
        assert_eq!(request.client_address().socket_addr(), local.as_socket());
        assert!(request.to_string().contains(", in process "), "{request}");
        assert!(handle.broadcast("not sent\n", SHORT).is_empty());
        client.finish();
        client.expect_end();
        eventually("no request is listed", || handle.requests().is_empty());
    });
}
