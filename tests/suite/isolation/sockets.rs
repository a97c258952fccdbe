//! Connections whose sockets panic.

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

use super::{PanicPoint, assert_adds_up};
use crate::support::net::*;

/// TCP connection that panics.
struct PanickingSocket {
    tcp: TcpStream,
    panics_at: PanicPoint,
}

impl StreamSocket for PanickingSocket {
    type Address = SocketAddr;

    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.panics_at.visit("recv");
        self.tcp.recv(buffer)
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.panics_at.visit("send");
        StreamSocket::send(&self.tcp, data)
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.panics_at.visit("try_send");
        self.tcp.try_send(data)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let done = StreamSocket::shutdown(&self.tcp, how);
        self.panics_at.visit("shutdown");
        done
    }

    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_timeout(timeout)
    }

    fn before_close(&self) {
        self.tcp.before_close();
        self.panics_at.visit("before_close");
    }
}

impl Drop for PanickingSocket {
    fn drop(&mut self) {
        self.panics_at.visit("drop");
    }
}

/// TCP whose first connections panic in one method.
struct PanickingTransport {
    tcp: Tcp,
    method: &'static str,
    left: AtomicUsize,
}

impl Bind<(&'static str, usize)> for PanickingTransport {
    fn server_bind(
        (method, count): (&'static str, usize),
        options: &SocketOptions,
    ) -> Result<Self, Error> {
        let tcp = Tcp::server_bind(LOOPBACK, options)?;
        let left = AtomicUsize::new(count);
        Ok(Self { tcp, method, left })
    }
}

impl AsFd for PanickingTransport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl Transport for PanickingTransport {
    type Request = StreamRequest<PanickingSocket>;
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
        let panics_at = match self.left.fetch_update(order, order, less) {
            Ok(_) => PanicPoint::always(self.method),
            Err(_) => PanicPoint::once("nowhere"),
        };
        let address = *request.client_address();
        Ok(StreamRequest::new(
            PanickingSocket { tcp, panics_at },
            address,
            server,
        ))
    }
}

type Running<M> = RunningServer<PanickingTransport, Hooks<StreamRequest<PanickingSocket>>, M>;

fn serve<M: Strategy + Default>(method: &'static str, count: usize) -> Running<M> {
    expect_panics();
    let service = Hooks::new(|request: &mut StreamRequest<PanickingSocket>| {
        while let Some(line) = request.next_line(100)? {
            request.send_all(&line)?;
        }
        Ok(())
    });
    let server = Server::<PanickingTransport, _, M>::bind((method, count), service).unwrap();
    let server = server.force_close_timeout(PATIENCE / 2);
    server.grace_period(Duration::ZERO).spawn().unwrap()
}

fn a_panic_of_a_socket_costs_its_request<M: Strategy + Default>() {
    for (method, is_failure) in [
        ("recv", true),
        ("send", true),
        ("shutdown", false),
        ("before_close", false),
        ("drop", false),
    ] {
        let server = serve::<M>(method, 1);
        let handle = server.handle();
        let first = Tcp::connect(server.server_address());
        // Precedes the second connection, because another accept loop could accept that one first.
        eventually("the connection is accepted", || {
            handle.stats().accepted == 1
        });
        first.send("hello\n");
        if is_failure {
            // The connection may be reset, because unread input may be left.
            while first.try_receive().is_ok_and(|data| !data.is_empty()) {}
        } else {
            assert_eq!(first.line(), "hello\n");
            // `before_close` is called only if the client has not ended its side.
            match method {
                "before_close" => handle.requests()[0].close(),
                _ => first.finish(),
            }
            first.expect_end();
        }
        let second = Tcp::connect(server.server_address());
        assert_eq!(second.ask("hello\n"), "hello\n", "{method}");
        second.finish();
        second.expect_end();
        eventually("both requests have ended", || handle.stats().active == 0);
        let stats = handle.stats();
        let failed = u64::from(is_failure);
        assert_eq!(
            (stats.completed, stats.failed),
            (2 - failed, failed),
            "{method}"
        );
        let report = in_time(move || server.stop()).unwrap();
        assert_adds_up(&report, &handle.stats());
    }
}

by_strategy!(a_panic_of_a_socket_costs_its_request);

/// The other connections are force-closed although the first ones panic.
fn check_that_a_stop_force_closes_all<M: Strategy + Default>() {
    for method in ["shutdown", "before_close", "drop"] {
        let server = serve::<M>(method, 2);
        let handle = server.handle();
        let clients = [(); 4].map(|()| Tcp::connect(server.server_address()));
        for client in &clients {
            assert_eq!(client.ask("hello\n"), "hello\n");
        }
        let report = in_time(move || server.stop()).unwrap();
        assert_eq!(report.force_closed.len(), 4, "{method}");
        assert_adds_up(&report, &handle.stats());
        for client in clients {
            client.expect_end();
        }
    }
}

#[test]
fn a_panic_does_not_prevent_the_force_close_of_other_connections() {
    check_that_a_stop_force_closes_all::<Threading>();
    check_that_a_stop_force_closes_all::<socketserver::ThreadPool>();
}

/// The sender gets an error. The panic reaches neither its thread nor the other receivers.
#[test]
fn a_panic_while_other_code_sends_is_an_error_of_the_call() {
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
    let expected = ["sending panicked: try_send panics on purpose", ""];
    assert_eq!(texts.collect::<Vec<_>>(), expected);
    assert_eq!(clients[1].line(), "all\n");
    assert_eq!(clients[0].ask("still there\n"), "still there\n");
    drop(clients);
    in_time(move || server.stop()).unwrap();

    let server = serve::<Threading>("send", 1);
    let handle = server.handle();
    let _client = Tcp::connect(server.server_address());
    eventually("the request is listed", || handle.requests().len() == 1);
    let request = &handle.requests()[0];
    let error = request.sender().unwrap().send_all("hello\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "sending panicked: send panics on purpose"
    );
    in_time(move || server.stop()).unwrap();
}

/// The panic does not reach the thread that drops the last reference to the request.
#[test]
fn a_panic_in_the_drop_of_a_socket_is_caught_on_every_thread() {
    let server = serve::<Threading>("nowhere", 0);
    let (client, _peer) = pair();
    let socket = PanickingSocket {
        tcp: client,
        panics_at: PanicPoint::always("drop"),
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
