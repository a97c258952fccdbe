//! Transports that panic.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, mpsc};
use std::{io, thread};

use socketserver::RequestKind;
use socketserver::transport::{Bind, SocketOptions, Tcp};
use socketserver::{
    Error, Handled, Sequential, Server, ServerHandle, Strategy, TcpRequest, Transport,
};

use super::{PanicPoint, assert_adds_up};
use crate::support::net::*;

/// TCP that panics.
struct PanickingTransport {
    tcp: Tcp,
    panics_at: Arc<PanicPoint>,
}

impl Bind<Arc<PanicPoint>> for PanickingTransport {
    fn server_bind(panics_at: Arc<PanicPoint>, options: &SocketOptions) -> Result<Self, Error> {
        let tcp = Tcp::server_bind(LOOPBACK, options)?;
        Ok(Self { tcp, panics_at })
    }
}

impl AsFd for PanickingTransport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl Transport for PanickingTransport {
    type Request = TcpRequest;
    type Address = SocketAddr;

    const KIND: RequestKind = Tcp::KIND;

    fn server_address(&self) -> &SocketAddr {
        self.tcp.server_address()
    }

    fn server_activate(&self) -> io::Result<()> {
        self.panics_at.visit("server_activate");
        self.tcp.server_activate()
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<TcpRequest> {
        self.panics_at.visit("get_request");
        self.tcp.get_request(server)
    }

    fn stop_new_connections(&self) -> io::Result<()> {
        self.panics_at.visit("stop_new_connections");
        self.tcp.stop_new_connections()
    }
}

type PanickingServer<M> = Server<PanickingTransport, Hooks<TcpRequest>, M>;

fn bind<M: Strategy + Default>(panics_at: PanicPoint) -> (PanickingServer<M>, Arc<PanicPoint>) {
    let panics_at = Arc::new(panics_at);
    let server = Server::bind(Arc::clone(&panics_at), Hooks::echo()).unwrap();
    (server, panics_at)
}

/// Runs `work` on a thread whose panics are expected.
fn on_a_thread<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    expect_panics();
    let thread = thread::Builder::new().name("socketserver-test".into());
    let thread = thread.spawn(work).unwrap();
    in_time(move || thread.join()).unwrap()
}

/// The panic is treated as an error of `accept(2)`: it is reported and counted, and the server continues.
fn a_panic_in_get_request_is_an_error_of_the_listener<M: Strategy + Default>() {
    expect_panics();
    let (reported, errors) = mpsc::channel();
    let service = Hooks::<TcpRequest>::echo().on_get_request_error(move |error| {
        let _ = reported.send(error.to_string());
    });
    let panics_at = Arc::new(PanicPoint::times("get_request", 3));
    let server = Server::<PanickingTransport, _, M>::bind(Arc::clone(&panics_at), service).unwrap();
    let server = server.spawn().unwrap();
    let handle = server.handle();
    let client = Tcp::connect(server.server_address());
    assert_eq!(client.ask("hello\n"), "hello\n");
    for _ in 0..3 {
        let text = "Transport::get_request panicked: get_request panics on purpose";
        assert_eq!(next(&errors), text);
    }
    let stats = handle.stats();
    assert_eq!((stats.accept_errors.retried, stats.accepted), (3, 1));
    client.finish();
    client.expect_end();
    let report = in_time(move || server.stop()).unwrap();
    assert_adds_up(&report, &handle.stats());
}

fn a_server_that_cannot_accept_can_be_stopped<M: Strategy + Default>() {
    expect_panics();
    let (server, panics_at) = bind::<M>(PanicPoint::always("get_request"));
    let server = server.spawn().unwrap();
    let client = Tcp::connect(server.server_address());
    eventually("the server tries to accept", || panics_at.panics() > 0);
    let report = in_time(move || server.stop()).unwrap();
    assert_eq!(report.accepted, 0);
    // The connection could not be accepted, so it could not be ended in order either.
    let end = client.try_receive();
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

/// The close still serves the connections in the backlog.
fn a_panic_at_the_close_does_not_prevent_serving_the_backlog<M: Strategy + Default>() {
    for method in ["get_request", "stop_new_connections"] {
        let (server, panics_at) = bind::<M>(PanicPoint::once(method));
        let handle = server.handle();
        let clients = [(); 2].map(|()| Tcp::connect(server.server_address()));
        for client in &clients {
            client.send("hello\n");
            client.finish();
        }
        let report = on_a_thread(|| server.server_close());
        assert_eq!(panics_at.panics(), 1, "{method}");
        assert_eq!((report.accepted, report.completed), (2, 2), "{method}");
        for client in clients {
            assert_eq!(client.rest(), b"hello\n");
        }
        assert_adds_up(&report, &handle.stats());
    }
}

by_strategy!(
    a_panic_in_get_request_is_an_error_of_the_listener,
    a_server_that_cannot_accept_can_be_stopped,
    a_panic_at_the_close_does_not_prevent_serving_the_backlog,
);

#[test]
fn a_panic_in_get_request_does_not_end_handle_request() {
    let (server, _) = bind::<Sequential>(PanicPoint::once("get_request"));
    let client = Tcp::connect(server.server_address());
    client.send("hello\n");
    client.finish();
    let handled = on_a_thread(move || server.handle_request().unwrap());
    assert_eq!(handled, Handled::Request);
    assert_eq!(client.rest(), b"hello\n");
}

/// The server does not count as activated.
#[test]
fn a_panic_in_server_activate_is_an_error() {
    let panics_at = Arc::new(PanicPoint::once("server_activate"));
    let server = on_a_thread(move || {
        let options = Server::<PanickingTransport, _, Sequential>::options().activate(false);
        let server = options.bind(panics_at, Hooks::echo()).unwrap();
        let error = server.server_activate().unwrap_err();
        assert!(matches!(error, Error::Activate { .. }), "{error}");
        let source = error.io_error().unwrap().to_string();
        let text = "Transport::server_activate panicked: server_activate panics on purpose";
        assert_eq!(source, text);
        assert!(matches!(server.serve_forever(), Err(Error::NotActivated)));
        server
    });
    server.server_activate().unwrap();
    let server = server.spawn().unwrap();
    let client = Tcp::connect(server.server_address());
    assert_eq!(client.ask("hello\n"), "hello\n");
    drop(client);
    in_time(move || server.stop()).unwrap();
}
