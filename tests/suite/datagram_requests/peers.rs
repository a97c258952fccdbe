//! Clients of a datagram server: their addresses, and clients that cannot be answered.

use super::*;

use crate::support::alone::{apart, test_name};

#[test]
fn a_udp_client_is_known_by_its_address() {
    let (addresses, receiver) = mpsc::channel();
    let host = host::<Udp, Sequential, _>(Hooks::new(move |request: &mut UdpRequest| {
        Ok(addresses.send(*request.client_address())?)
    }));
    let client = host.client();
    client.send("hello");
    let own = client.socket().local_addr().unwrap().as_socket();
    assert_eq!(Some(next(&receiver)), own);
}

#[cfg(unix)]
#[test]
fn a_unix_client_is_known_by_its_path() {
    let (addresses, receiver) = mpsc::channel();
    let service = Hooks::new(move |request: &mut UnixDatagramRequest| {
        Ok(addresses.send(request.client_address().clone())?)
    });
    let host = host::<UnixDatagram, Sequential, _>(service);
    let client = host.client();
    client.send("hello");
    let own = client.socket().local_addr().unwrap();
    assert_eq!(next(&receiver).as_path(), own.as_pathname());
}

#[cfg(unix)]
#[test]
fn an_unnamed_client_is_served_and_cannot_be_answered() {
    let dir = TempDir::new();
    let path = dir.socket();
    let (orders, receiver) = mpsc::channel();
    let (hooks, failures) = Hooks::new(move |request: &mut UnixDatagramRequest| {
        assert!(request.client_address().is_unnamed());
        let order = request.packet().to_vec();
        orders.send(order.clone())?;
        match &*order {
            b"reply" => request.send_all(b"hello")?,
            b"send" => request.sender().send_all(b"hello")?,
            _ => {}
        }
        Ok(())
    })
    .failures();
    let server = UnixDatagramServer::bind(&path, hooks).unwrap();
    let server = server.spawn().unwrap();
    let client = std::os::unix::net::UnixDatagram::unbound().unwrap();
    client.connect(&path).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    for (order, failed_in) in [
        ("listen", None),
        ("reply", Some(Stage::Reply)),
        ("send", Some(Stage::Handle)),
        ("listen again", None),
    ] {
        client.send(order.as_bytes()).unwrap();
        assert_eq!(next(&receiver), order.as_bytes());
        if let Some(stage) = failed_in {
            let failure = next(&failures);
            assert_eq!(failure.stage, stage, "{order}");
            assert_eq!(failure.kind, Some(ErrorKind::AddrNotAvailable));
        }
    }
    assert_eq!(server.stop().unwrap().abandoned.len(), 0);
    assert_eq!(failures.try_iter().count(), 0, "other requests failed too");
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_addresses_need_no_file() {
    // A process that another test starts holds the socket until its exec.
    apart(test_name!("abstract_addresses_need_no_file"), || {
        let name = unique_name();
        let address = UnixAddress::Abstract(name.clone().into_bytes());
        let (clients, receiver) = mpsc::channel();
        let service = Hooks::new(move |request: &mut UnixDatagramRequest| {
            clients.send(request.client_address().clone())?;
            request.send_all(b"hello")?;
            Ok(())
        });
        let server = UnixDatagramServer::bind(address.clone(), service).unwrap();
        assert_eq!(*server.server_address(), address);
        assert_eq!(server.server_address().to_string(), format!("@{name}"));
        let server = server.spawn().unwrap();
        let client = UnixDatagram::connect(&address);
        client.send("?");
        assert_eq!(client.receive(), b"hello");
        let own = client.socket().local_addr().unwrap();
        let own = UnixAddress::Abstract(own.as_abstract_namespace().unwrap().to_vec());
        assert_eq!(next(&receiver), own);

        // The name is free when the socket is closed.
        drop(server);
        drop(UnixDatagramServer::bind(address, || LineEcho).unwrap());
    });
}

/// The server waits until the `timeout` option expires.
#[cfg(unix)]
#[test]
fn a_unix_client_that_does_not_read_delays_others_only_for_the_timeout() {
    let (hooks, failures) = obey_packet::<UnixDatagramRequest>().failures();
    let host = host_with::<UnixDatagram, Sequential, _, _>(
        hooks,
        |options| options.timeout(Duration::from_millis(50)),
        |server| server,
    );
    // This client is not connected. The kernel queues only a few datagrams for it. For a connected client it
    // queues as many as fit into the send buffer of the server, which all clients share.
    let dir = TempDir::new();
    let non_reader = std::os::unix::net::UnixDatagram::bind(dir.socket()).unwrap();
    non_reader.set_write_timeout(Some(PATIENCE)).unwrap();
    let server = host.server.server_address().as_path().unwrap();
    let failure = loop {
        non_reader.send_to(b"hello", server).unwrap();
        if let Ok(failure) = failures.try_recv() {
            break failure;
        }
    };
    assert_eq!(failure.stage, Stage::Reply);
    assert!(failure.is_timeout, "{failure:?}");
    let client = host.client();
    client.send("served");
    assert_eq!(client.receive(), b"served");
}

#[cfg(unix)]
#[test]
fn a_reply_to_a_closed_client_fails_and_the_server_goes_on() {
    // A program that another test starts has copies of all sockets until it executes.
    let test = test_name!("a_reply_to_a_closed_client_fails_and_the_server_goes_on");
    apart(test, || {
        let dir = TempDir::new();
        let (hooks, failures) = obey_packet::<UnixDatagramRequest>().failures();
        let server = UnixDatagramServer::bind(dir.socket(), hooks).unwrap();
        let closed = UnixDatagram::connect(server.server_address());
        closed.send("hello");
        drop(closed);
        let server = server.spawn().unwrap();
        assert_eq!(next(&failures).stage, Stage::Reply);
        let client = UnixDatagram::connect(server.server_address());
        client.send("served");
        assert_eq!(client.receive(), b"served");
    });
}

#[test]
fn a_burst_is_answered_one_by_one() {
    let server = UdpServer::bind(own_loopback(), || LineEcho).unwrap();
    let client = Udp::connect(server.server_address());
    for n in 0..50 {
        client.send(format!("{n}"));
    }
    let server = server.spawn().unwrap();
    for n in 0..50 {
        assert_eq!(client.receive(), format!("{n}").as_bytes());
    }
    assert_eq!(server.stats().accepted, 50);
}

/// Several accept loops may wait for the same datagram.
fn every_request_is_answered<T: Packets, M: Strategy + Default>() {
    const CLIENTS: usize = 8;
    const QUESTIONS: usize = 200;
    let host = host::<T, M, _>(Hooks::<T::Request>::echo());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let client = host.client();
                for n in 0..QUESTIONS {
                    let question = format!("{n}\n");
                    assert_eq!(client.ask(&question), question);
                }
            });
        }
    });
    let handle = host.server.handle();
    host.stop();
    let answered = CLIENTS * QUESTIONS;
    assert_eq!(handle.stats().completed, answered as u64);
}

over_pairs!([Udp, UnixDatagram]
    every_request_is_answered,
);
