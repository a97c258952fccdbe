//! Replies of a UDP server to clients that no longer exist. The system reports each as an error of the
//! server's own socket, at the next call.

#![allow(unsafe_code, reason = "no dependency has this socket option")]

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use socketserver::transport::Udp;
use socketserver::{Sequential, Server, Strategy, ThreadPool, UdpRequest};

use crate::support::alone::{alone, test_name};
use crate::support::kinds::{Kind, by_kind, by_kind_here};
use crate::support::net::*;

by_kind!(replies_to_a_closed_port_are_events);
by_kind_here!(a_vanished_client_of_a_connected_server_is_an_event);

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

/// Processor time of this process, in hundredths of a second.
fn ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields = fields.split(' ').skip(11).take(2);
    fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// Sends the reply to "lost" to an address without a socket.
fn answer(closed_port: SocketAddr) -> impl Fn(&mut UdpRequest) -> socketserver::Result {
    move |request| match request.packet() {
        b"lost\n" => Ok(request.send_to(b"?", &closed_port)?),
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
        let mut sent = 0;
        for n in 1..=TIMES {
            // The system queues the details of an error before it sets the error. An accept loop that reads and
            // discards the details in between clears the error, which is rare.
            let error = loop {
                Udp::connect(&address).send("lost\n");
                sent += 1;
                match errors.recv_timeout(PATIENCE / 4) {
                    Ok(error) => break error,
                    Err(_) => assert!(sent < 2 * TIMES, "no error for most replies"),
                }
            };
            assert_eq!(error, Some(libc::ECONNREFUSED));
            eventually("it is counted", || {
                server.stats().accept_errors.retried == n && server.stats().active == 0
            });
            assert_eq!(Udp::connect(&address).ask("hello\n"), "hello\n");
        }
        // The system keeps the details of each error in the socket's error queue. The socket therefore
        // stays ready for `poll`, and a loop that takes this for a datagram would spin.
        let before = ticks();
        thread::sleep(Duration::from_secs(1));
        let spent = ticks() - before;
        assert!(spent < 20, "an idle server uses {spent} % of a processor");
        assert_eq!(Udp::connect(&address).ask("hello\n"), "hello\n");

        eventually("all requests have ended", || server.stats().active == 0);
        let stats = server.stats();
        let ended = (stats.accepted, stats.completed);
        let all = sent + TIMES + 1;
        assert_eq!(ended, (all, all), "{stats:?}");
        assert_eq!(stats.accept_errors.total(), TIMES);
        server.stop().unwrap();
    });
}

/// The client binds its port again, and is served.
fn a_vanished_client_of_a_connected_server_is_an_event(kind: Kind) {
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
}
