//! What a reply to a client that is gone does to a UDP server: the system reports it as an error of the
//! server's own socket, at the next call.

#![allow(unsafe_code, reason = "an option that no crate here has")]

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
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;

by_kind!(
    replies_to_nobody_are_events,
    a_client_of_a_connected_server_that_is_gone_is_an_event,
);

const TIMES: u64 = 20;

/// Few threads: each may have the error of another's reply.
fn strategy(kind: Kind) -> Box<dyn Strategy> {
    match kind {
        Kind::ThreadPool => Box::new(ThreadPool::new(2)),
        kind => kind.strategy(),
    }
}

/// An address where nobody is.
fn nobody() -> SocketAddr {
    let mut address = own_loopback();
    address.set_port(9);
    address
}

/// Has errors reported that concern datagrams to anybody; without it, only those to whom a socket is
/// connected.
fn set_recverr(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer is to an integer that outlives the call, and the size is its own.
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

/// The processor time of this process, in hundredths of a second.
fn ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields = fields.split(' ').skip(11).take(2);
    fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// The answer to "nobody" goes to nobody.
fn answer(nobody: SocketAddr) -> impl Fn(&mut UdpRequest) -> socketserver::Result {
    move |request| match request.packet() {
        b"nobody\n" => Ok(request.send_to(b"?", &nobody)?),
        _ => echo_lines(request),
    }
}

fn replies_to_nobody_are_events(kind: Kind) {
    let check = test_name!("replies_to_nobody_are_events");
    alone(check, kind, || {
        let (seen, errors) = mpsc::channel();
        let service = Hooks::new(answer(nobody())).on_get_request_error(move |error| {
            let _ = seen.send(error.raw_os_error());
        });
        let server = Server::<Udp, _, Sequential>::options()
            .before_bind(set_recverr)
            .bind(own_loopback(), service)
            .unwrap();
        let server = server.strategy(strategy(kind)).spawn().unwrap();
        let address = *server.server_address();
        for n in 1..=TIMES {
            Udp::connect(&address).send("nobody\n");
            assert_eq!(next(&errors), Some(libc::ECONNREFUSED));
            eventually("it is counted", || {
                server.stats().accept_errors.retried == n && server.stats().active == 0
            });
            assert_eq!(Udp::connect(&address).ask("hello\n"), "hello\n");
        }
        // The details of each are kept by the system for whoever asks, which makes the socket look
        // as if it always had something to say.
        let before = ticks();
        thread::sleep(Duration::from_secs(1));
        let spent = ticks() - before;
        assert!(spent < 20, "{spent} % of a processor for nothing");
        assert_eq!(Udp::connect(&address).ask("hello\n"), "hello\n");

        eventually("all are over", || server.stats().active == 0);
        let stats = server.stats();
        let ended = (stats.accepted, stats.completed);
        assert_eq!(ended, (2 * TIMES + 1, 2 * TIMES + 1), "{stats:?}");
        assert_eq!((stats.accept_errors.total()), TIMES);
        server.stop().unwrap();
    });
}

/// The client comes back, and is served.
fn a_client_of_a_connected_server_that_is_gone_is_an_event(kind: Kind) {
    let gate = Gate::default();
    let (seen, errors) = mpsc::channel();
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
        let _ = seen.send(error.raw_os_error());
    });
    let client = UdpSocket::bind(own_loopback()).unwrap();
    let place = client.local_addr().unwrap();
    let socket = UdpSocket::bind(own_loopback()).unwrap();
    socket.connect(place).unwrap();
    client.connect(socket.local_addr().unwrap()).unwrap();

    // It is sent before there is a server: a process has its copy of what is there at that moment.
    client.send(b"wait\n").unwrap();
    let address = socket.local_addr().unwrap();
    drop(client);
    gate.open();
    let server = Server::<Udp, _, Sequential>::from_listener(socket, service).unwrap();
    let server = server.strategy(strategy(kind)).spawn().unwrap();
    assert_eq!(next(&errors), Some(libc::ECONNREFUSED));

    let client = UdpSocket::bind(place).unwrap();
    client.connect(address).unwrap();
    let client = Client::new(client);
    for _ in 0..10 {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    eventually("all are over", || server.stats().active == 0);
    let stats = server.stats();
    assert_eq!((stats.accepted, stats.completed), (11, 11), "{stats:?}");
    assert_eq!(stats.accept_errors.retried, 1);
    in_time(move || server.stop()).unwrap();
}
