//! Replies of a UDP server to clients that no longer exist. The system reports each as an error of the
//! server's own socket, at the next call, which may be the reply to another client.

#![allow(unsafe_code, reason = "no dependency has this socket option")]

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use socketserver::transport::Udp;
use socketserver::{Request, Sequential, Server, Strategy, ThreadPool, UdpRequest};

use crate::support::alone::{alone, test_name};
use crate::support::census::processor_time;
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;

by_kind!(
    replies_to_a_closed_port_are_events,
    a_reply_is_sent_despite_errors_of_other_replies,
    a_vanished_client_of_a_connected_server_is_an_event,
);

const TIMES: u64 = 20;

/// Strategy of a kind. The pool has few threads, so that a thread gets the error of another one's reply.
fn strategy(kind: Kind) -> Box<dyn Strategy> {
    match kind {
        Kind::ThreadPool => Box::new(ThreadPool::new(2)),
        kind => kind.strategy(),
    }
}

/// Address without a socket.
fn closed_port() -> SocketAddr {
    let mut address = own_loopback();
    address.set_port(9);
    address
}

/// Makes the system report errors of datagrams to any address. Without this option it reports only
/// errors of the peer to which the socket is connected.
fn set_recverr(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer is to an integer that outlives the call, and the size is that of the integer.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_RECVERR,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    Errno::result(set)?;
    Ok(())
}

/// Sends the reply to "lost" to an address without a socket, and datagrams to this address before the reply to "lost
/// and found".
fn answer(closed_port: SocketAddr) -> impl Fn(&mut UdpRequest) -> socketserver::Result {
    move |request| match request.packet() {
        b"lost\n" => Ok(request.send_to(b"?", &closed_port)?),
        b"lost and found\n" => {
            request.send_to(b"?", &closed_port)?;
            request.send_to(b"?", &closed_port)?;
            echo_lines(request)
        }
        _ => echo_lines(request),
    }
}

fn replies_to_a_closed_port_are_events(kind: Kind) {
    let check = test_name!("replies_to_a_closed_port_are_events");
    alone(check, kind, || {
        let (reported, errors) = mpsc::channel();
        let service = Hooks::new(answer(closed_port())).on_get_request_error(move |error| {
            let _ = reported.send(error.raw_os_error());
        });
        let server = Server::<Udp, _, Sequential>::options()
            .before_bind(set_recverr)
            .bind(own_loopback(), service)
            .unwrap();
        let server = server.strategy(strategy(kind)).spawn().unwrap();
        let address = *server.server_address();
        for n in 1..=TIMES {
            Udp::connect(&address).send("lost\n");
            assert_eq!(next(&errors), Some(libc::ECONNREFUSED));
            eventually("it is counted", || {
                server.stats().accept_errors.retried == n && server.stats().active == 0
            });
            assert_eq!(Udp::connect(&address).ask("hello\n"), "hello\n");
        }
        // The system keeps the details of each error in the socket's error queue. The socket therefore
        // stays ready for `poll`, and a loop that takes this for a datagram would spin.
        let before = processor_time();
        thread::sleep(Duration::from_secs(1));
        let spent = processor_time() - before;
        assert!(
            spent < Duration::from_millis(200),
            "an idle server uses {spent:?} of a processor"
        );
        assert_eq!(Udp::connect(&address).ask("hello\n"), "hello\n");

        eventually("all requests have ended", || server.stats().active == 0);
        let stats = server.stats();
        let ended = (stats.accepted, stats.completed);
        let all = 2 * TIMES + 1;
        assert_eq!(ended, (all, all), "{stats:?}");
        assert_eq!(stats.accept_errors.total(), TIMES);
        server.stop().unwrap();
    });
}

/// The system reports each error to the next call, which is the send of another datagram here.
fn a_reply_is_sent_despite_errors_of_other_replies(kind: Kind) {
    let check = test_name!("a_reply_is_sent_despite_errors_of_other_replies");
    alone(check, kind, || {
        for bound in [own_loopback(), ([0, 0, 0, 0], 0).into()] {
            let (reported, errors) = mpsc::channel();
            let service = Hooks::new(answer(closed_port())).on_get_request_error(move |error| {
                let _ = reported.send(error.raw_os_error());
            });
            let server = Server::<Udp, _, Sequential>::options()
                .before_bind(set_recverr)
                .bind(bound, service)
                .unwrap();
            let server = server.strategy(strategy(kind)).spawn().unwrap();
            let host = match bound.ip() {
                ip if ip.is_unspecified() => own_loopback().ip(),
                ip => ip,
            };
            let client = Udp::connect(&(host, server.server_address().port()).into());
            for _ in 0..TIMES {
                assert_eq!(client.ask("lost and found\n"), "lost and found\n");
            }
            // Each error is reported once, although replies have met it.
            for _ in 0..2 * TIMES {
                assert_eq!(next(&errors), Some(libc::ECONNREFUSED));
            }
            eventually("all requests have ended", || server.stats().active == 0);
            let stats = server.stats();
            assert_eq!((stats.completed, stats.failed), (TIMES, 0), "{stats:?}");
            assert_eq!(stats.accept_errors.retried, 2 * TIMES);
            server.stop().unwrap();
        }
    });
}

fn errors_of_a_closed_port_fail_no_sender_and_delay_no_datagram<M: Strategy + Default>() {
    let (senders, receiver) = mpsc::channel();
    let service = Hooks::new(move |request: &mut UdpRequest| {
        let _ = senders.send(request.sender());
        echo_lines(request)
    });
    let server = Server::<Udp, _, M>::options()
        .before_bind(set_recverr)
        .bind(own_loopback(), service)
        .unwrap();
    let server = server.spawn().unwrap();
    // Its address is that of no other socket.
    let closed = UdpSocket::bind(own_loopback()).unwrap();
    closed.send_to(b"hello\n", server.server_address()).unwrap();
    let sender = next(&receiver);
    eventually("the reply was sent", || server.stats().completed == 1);
    drop(closed);
    // More errors than the number after which a loop backs off; the delays would add up to 18 seconds.
    let begin = Instant::now();
    for n in 1..=2 * TIMES {
        sender.send_all("lost").unwrap();
        eventually("the error is counted", || {
            server.stats().accept_errors.retried == n
        });
    }
    assert!(
        begin.elapsed() < Duration::from_secs(9),
        "the loop backs off"
    );
    let client = Udp::connect(server.server_address());
    assert_eq!(client.ask("hello\n"), "hello\n");
}

// A program that another test starts has copies of all sockets until it executes.
by_strategy_apart!(errors_of_a_closed_port_fail_no_sender_and_delay_no_datagram);

/// The client binds its port again, and is served.
fn a_vanished_client_of_a_connected_server_is_an_event(kind: Kind) {
    let check = test_name!("a_vanished_client_of_a_connected_server_is_an_event");
    alone(check, kind, || {
        let gate = Gate::default();
        let (reported, errors) = mpsc::channel();
        let service = Hooks::new({
            let gate = gate.clone();
            move |request: &mut UdpRequest| {
                if request.packet() == b"wait\n" {
                    socketserver::blocking(|| gate.pass());
                }
                echo_lines(request)
            }
        });
        let service = service.on_get_request_error(move |error| {
            let _ = reported.send(error.raw_os_error());
        });
        let client = UdpSocket::bind(own_loopback()).unwrap();
        let client_address = client.local_addr().unwrap();
        let socket = UdpSocket::bind(own_loopback()).unwrap();
        socket.connect(client_address).unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();

        // The datagram is sent and the gate opened before the server starts, because the child process of a
        // forking server has a copy of the gate.
        client.send(b"wait\n").unwrap();
        let address = socket.local_addr().unwrap();
        drop(client);
        gate.open();
        let server = Server::<Udp, _, Sequential>::from_listener(socket, service).unwrap();
        let server = server.strategy(strategy(kind)).spawn().unwrap();
        assert_eq!(next(&errors), Some(libc::ECONNREFUSED));

        let client = UdpSocket::bind(client_address).unwrap();
        client.connect(address).unwrap();
        let client = Client::new(client);
        for _ in 0..10 {
            assert_eq!(client.ask("hello\n"), "hello\n");
        }
        eventually("all requests have ended", || server.stats().active == 0);
        let stats = server.stats();
        assert_eq!((stats.accepted, stats.completed), (11, 11), "{stats:?}");
        assert_eq!(stats.accept_errors.retried, 1);
        in_time(move || server.stop()).unwrap();
    });
}
