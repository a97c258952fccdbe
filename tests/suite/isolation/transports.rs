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

use super::{Mine, adds_up};
use crate::support::net::*;

/// TCP that panics.
struct Mined {
    tcp: Tcp,
    mine: Arc<Mine>,
}

impl Bind<Arc<Mine>> for Mined {
    fn server_bind(mine: Arc<Mine>, options: &SocketOptions) -> Result<Self, Error> {
        let tcp = Tcp::server_bind(LOOPBACK, options)?;
        Ok(Self { tcp, mine })
    }
}

impl AsFd for Mined {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl Transport for Mined {
    type Request = TcpRequest;
    type Address = SocketAddr;

    const KIND: RequestKind = Tcp::KIND;

    fn server_address(&self) -> &SocketAddr {
        self.tcp.server_address()
    }

    fn server_activate(&self) -> io::Result<()> {
        self.mine.step_on("server_activate");
        self.tcp.server_activate()
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<TcpRequest> {
        self.mine.step_on("get_request");
        self.tcp.get_request(server)
    }

    fn stop_new_connections(&self) -> io::Result<()> {
        self.mine.step_on("stop_new_connections");
        self.tcp.stop_new_connections()
    }
}

fn bind<M: Strategy + Default>(mine: Mine) -> (Server<Mined, Hooks<TcpRequest>, M>, Arc<Mine>) {
    let mine = Arc::new(mine);
    let server = Server::bind(Arc::clone(&mine), Hooks::echo()).unwrap();
    (server, mine)
}

/// Runs something on a thread whose panics are expected.
fn on_a_thread<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    expect_panics();
    let thread = thread::Builder::new().name("socketserver-test".into());
    let thread = thread.spawn(work).unwrap();
    in_time(move || thread.join()).unwrap()
}

/// It is an error like others of `accept(2)`: told, counted, and survived.
fn a_panic_in_get_request_is_an_error_of_the_listener<M: Strategy + Default>() {
    expect_panics();
    let (errors, told) = mpsc::channel();
    let service = Hooks::<TcpRequest>::echo().on_get_request_error(move |error| {
        let _ = errors.send(error.to_string());
    });
    let mine = Arc::new(Mine::times("get_request", 3));
    let server = Server::<Mined, _, M>::bind(Arc::clone(&mine), service).unwrap();
    let server = server.spawn().unwrap();
    let handle = server.handle();
    let client = Tcp::connect(server.server_address());
    assert_eq!(client.ask("hello\n"), "hello\n");
    for _ in 0..3 {
        let text = "Transport::get_request panicked: get_request was told to";
        assert_eq!(next(&told), text);
    }
    let stats = handle.stats();
    assert_eq!((stats.accept_errors.retried, stats.accepted), (3, 1));
    client.finish();
    client.expect_end();
    let report = in_time(move || server.stop()).unwrap();
    adds_up(&report, &handle.stats());
}

/// A server that cannot take anybody in can still be stopped.
fn one_that_always_panics_can_be_stopped<M: Strategy + Default>() {
    expect_panics();
    let (server, mine) = bind::<M>(Mine::always("get_request"));
    let server = server.spawn().unwrap();
    let client = Tcp::connect(server.server_address());
    eventually("it has tried", || mine.hits() > 0);
    let report = in_time(move || server.stop()).unwrap();
    assert_eq!(report.accepted, 0);
    // Nobody could take it in to tell it.
    let end = client.try_receive();
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

/// Those in the queue are served all the same.
fn a_panic_at_the_close_keeps_nobody_from_being_served<M: Strategy + Default>() {
    for place in ["get_request", "stop_new_connections"] {
        let (server, mine) = bind::<M>(Mine::once(place));
        let handle = server.handle();
        let clients = [(); 2].map(|()| Tcp::connect(server.server_address()));
        for client in &clients {
            client.send("hello\n");
            client.finish();
        }
        let report = on_a_thread(|| server.server_close());
        assert_eq!(mine.hits(), 1, "{place}");
        assert_eq!((report.accepted, report.completed), (2, 2), "{place}");
        for client in clients {
            assert_eq!(client.rest(), b"hello\n");
        }
        adds_up(&report, &handle.stats());
    }
}

by_strategy!(
    a_panic_in_get_request_is_an_error_of_the_listener,
    one_that_always_panics_can_be_stopped,
    a_panic_at_the_close_keeps_nobody_from_being_served,
);

#[test]
fn a_panic_in_get_request_does_not_end_handle_request() {
    let (server, _) = bind::<Sequential>(Mine::once("get_request"));
    let client = Tcp::connect(server.server_address());
    client.send("hello\n");
    client.finish();
    let handled = on_a_thread(move || server.handle_request().unwrap());
    assert_eq!(handled, Handled::Request);
    assert_eq!(client.rest(), b"hello\n");
}

/// It is not taken for one that listens.
#[test]
fn a_panic_in_server_activate_is_an_error() {
    let mine = Arc::new(Mine::once("server_activate"));
    let server = on_a_thread(move || {
        let options = Server::<Mined, _, Sequential>::options().activate(false);
        let server = options.bind(mine, Hooks::echo()).unwrap();
        let error = server.server_activate().unwrap_err();
        assert!(matches!(error, Error::Activate { .. }), "{error}");
        let source = error.io_error().unwrap().to_string();
        let text = "Transport::server_activate panicked: server_activate was told to";
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
