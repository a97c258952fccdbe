//! Sockets of connections that panic.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socketserver::RequestKind;
use socketserver::request::StreamSocket;
use socketserver::transport::{Bind, SocketOptions, Tcp};
use socketserver::{
    Error, Request, RunningServer, Server, ServerHandle, Strategy, StreamRequest, Threading,
    Transport,
};

use super::{Mine, adds_up};
use crate::support::net::*;

/// A TCP connection that panics.
struct Mined {
    tcp: TcpStream,
    mine: Mine,
}

impl StreamSocket for Mined {
    type Address = SocketAddr;

    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.mine.step_on("recv");
        self.tcp.recv(buffer)
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.mine.step_on("send");
        StreamSocket::send(&self.tcp, data)
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.mine.step_on("try_send");
        self.tcp.try_send(data)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let done = StreamSocket::shutdown(&self.tcp, how);
        self.mine.step_on("shutdown");
        done
    }

    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_timeout(timeout)
    }

    fn before_close(&self) {
        self.tcp.before_close();
        self.mine.step_on("before_close");
    }
}

impl Drop for Mined {
    fn drop(&mut self) {
        self.mine.step_on("drop");
    }
}

/// TCP whose first connections panic.
struct Mines {
    tcp: Tcp,
    place: &'static str,
    left: AtomicUsize,
}

impl Bind<(&'static str, usize)> for Mines {
    fn server_bind(
        (place, count): (&'static str, usize),
        options: &SocketOptions,
    ) -> Result<Self, Error> {
        let tcp = Tcp::server_bind(LOOPBACK, options)?;
        let left = AtomicUsize::new(count);
        Ok(Self { tcp, place, left })
    }
}

impl AsFd for Mines {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl Transport for Mines {
    type Request = StreamRequest<Mined>;
    type Address = SocketAddr;

    const KIND: RequestKind = Tcp::KIND;

    fn server_address(&self) -> &SocketAddr {
        self.tcp.server_address()
    }

    fn server_activate(&self) -> io::Result<()> {
        self.tcp.server_activate()
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request> {
        let request = self.tcp.get_request(server)?;
        let tcp = request.socket().try_clone()?;
        let order = Ordering::SeqCst;
        let less = |left: usize| left.checked_sub(1);
        let mine = match self.left.fetch_update(order, order, less) {
            Ok(_) => Mine::always(self.place),
            Err(_) => Mine::once("nowhere"),
        };
        let address = *request.client_address();
        Ok(StreamRequest::new(Mined { tcp, mine }, address, server))
    }
}

type Running<M> = RunningServer<Mines, Hooks<StreamRequest<Mined>>, M>;

fn serve<M: Strategy + Default>(place: &'static str, count: usize) -> Running<M> {
    expect_panics();
    let service = Hooks::new(|request: &mut StreamRequest<Mined>| {
        while let Some(line) = request.next_line(100)? {
            request.send_all(&line)?;
        }
        Ok(())
    });
    let server = Server::<Mines, _, M>::bind((place, count), service).unwrap();
    let server = server.force_close_timeout(PATIENCE / 2);
    server.grace_period(Duration::ZERO).spawn().unwrap()
}

fn a_panic_of_a_socket_costs_its_request<M: Strategy + Default>() {
    for (place, is_failure) in [
        ("recv", true),
        ("send", true),
        ("shutdown", false),
        ("before_close", false),
        ("drop", false),
    ] {
        let server = serve::<M>(place, 1);
        let handle = server.handle();
        let first = Tcp::connect(server.server_address());
        // Of several loops, another could be faster with the second.
        eventually("it is taken in", || handle.stats().accepted == 1);
        first.send("hello\n");
        if is_failure {
            // It may be reset: what was the rest of a conversation is not known.
            while first.try_receive().is_ok_and(|data| !data.is_empty()) {}
        } else {
            assert_eq!(first.line(), "hello\n");
            // `before_close` is for those who have not ended their side.
            match place {
                "before_close" => handle.requests()[0].close(),
                _ => first.finish(),
            }
            first.expect_end();
        }
        let second = Tcp::connect(server.server_address());
        assert_eq!(second.ask("hello\n"), "hello\n", "{place}");
        second.finish();
        second.expect_end();
        eventually("both are over", || handle.stats().active == 0);
        let stats = handle.stats();
        let failed = u64::from(is_failure);
        assert_eq!(
            (stats.completed, stats.failed),
            (2 - failed, failed),
            "{place}"
        );
        let report = in_time(move || server.stop()).unwrap();
        adds_up(&report, &handle.stats());
    }
}

by_strategy!(a_panic_of_a_socket_costs_its_request);

/// Those who are left are cut off, whatever the first one does.
fn a_panic_does_not_keep_a_stop_from_cutting_the_others<M: Strategy + Default>() {
    for place in ["shutdown", "before_close", "drop"] {
        let server = serve::<M>(place, 2);
        let handle = server.handle();
        let clients = [(); 4].map(|()| Tcp::connect(server.server_address()));
        for client in &clients {
            assert_eq!(client.ask("hello\n"), "hello\n");
        }
        let report = in_time(move || server.stop()).unwrap();
        assert_eq!(report.force_closed.len(), 4, "{place}");
        adds_up(&report, &handle.stats());
        for client in clients {
            client.expect_end();
        }
    }
}

#[test]
fn a_panic_does_not_keep_threads_from_being_cut() {
    a_panic_does_not_keep_a_stop_from_cutting_the_others::<Threading>();
    a_panic_does_not_keep_a_stop_from_cutting_the_others::<socketserver::ThreadPool>();
}

/// It is the fault of neither who sends nor the other listeners.
#[test]
fn a_panic_while_others_send_is_an_error_for_them() {
    let server = serve::<Threading>("try_send", 1);
    let handle = server.handle();
    let clients = [(); 2].map(|()| Tcp::connect(server.server_address()));
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    let sent = handle.broadcast("all\n", PATIENCE);
    let texts = sent.iter().map(|(_, result)| match result {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    });
    let expected = ["sending panicked: try_send was told to", ""];
    assert_eq!(texts.collect::<Vec<_>>(), expected);
    assert_eq!(clients[1].line(), "all\n");
    assert_eq!(clients[0].ask("still there\n"), "still there\n");
    drop(clients);
    in_time(move || server.stop()).unwrap();

    let server = serve::<Threading>("send", 1);
    let handle = server.handle();
    let _client = Tcp::connect(server.server_address());
    eventually("it is there", || handle.requests().len() == 1);
    let request = &handle.requests()[0];
    let error = request.sender().unwrap().send_all("hello\n").unwrap_err();
    assert_eq!(error.to_string(), "sending panicked: send was told to");
    in_time(move || server.stop()).unwrap();
}

/// Whoever is the last to have a connection is not the one to pay for its end.
#[test]
fn the_drop_of_a_socket_is_contained_wherever_it_is() {
    let server = serve::<Threading>("nowhere", 0);
    let (client, _peer) = pair();
    let socket = Mined {
        tcp: client,
        mine: Mine::always("drop"),
    };
    let address = *server.server_address();
    let request = StreamRequest::new(socket, address, &server.handle());
    let request = Arc::new(request);
    std::thread::Builder::new()
        .name("socketserver-test".into())
        .spawn(move || drop(request))
        .unwrap()
        .join()
        .unwrap();
    in_time(move || server.stop()).unwrap();
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}
