//! Sockets other than the connection of a coroutine: wrapped sockets, and sockets of the handler.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fd::{AsRawFd, RawFd};
use socketserver::RequestKind;
use socketserver::request::StreamSocket;
use socketserver::transport::{Bind, SocketOptions, Tcp, Transport};
use socketserver::{
    Coroutines, Error, Request, Result, Sender, Server, ServerHandle, StreamRequest, TcpRequest,
};

use super::{exchange, one_worker, pattern, start};
use crate::support::alone::{apart, test_name};
use crate::support::net::*;

// ---- wrapped sockets ----

/// A socket that reports no descriptor. A TLS session is like this, because it can have buffered bytes.
struct Wrapped(TcpStream);

impl StreamSocket for Wrapped {
    type Address = SocketAddr;

    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        StreamSocket::recv(&self.0, buffer)
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        StreamSocket::send(&self.0, data)
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.0.try_send(data)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        StreamSocket::shutdown(&self.0, how)
    }

    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        StreamSocket::set_timeout(&self.0, timeout)
    }

    fn write_timeout(&self) -> Option<Duration> {
        StreamSocket::write_timeout(&self.0)
    }
}

struct Wrapping(Tcp);

impl Transport for Wrapping {
    type Request = StreamRequest<Wrapped>;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Connection;

    fn server_address(&self) -> &SocketAddr {
        self.0.server_address()
    }

    fn server_activate(&self) -> io::Result<()> {
        self.0.server_activate()
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request> {
        let request = self.0.get_request(server)?;
        let socket = request.socket().try_clone()?;
        Ok(StreamRequest::new(
            Wrapped(socket),
            *request.client_address(),
            server,
        ))
    }
}

impl_as_fd!(Wrapping, 0);

impl Bind<&str> for Wrapping {
    fn server_bind(address: &str, options: &SocketOptions) -> Result<Self, Error> {
        Tcp::server_bind(address, options).map(Self)
    }
}

#[test]
fn a_wrapped_socket_parks_its_coroutine() {
    let service = Hooks::new(|request: &mut StreamRequest<Wrapped>| {
        loop {
            let data = request.recv(100_000)?;
            if data.is_empty() {
                return Ok(());
            }
            if data == b"wait\n" {
                request.set_timeout(Duration::from_millis(50))?;
                let started = Instant::now();
                let error = request.recv(100).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                assert!(started.elapsed() >= Duration::from_millis(50));
                request.set_timeout(None)?;
            }
            request.send_all(&data)?;
        }
    });
    let server = Server::<Wrapping, _, Coroutines>::bind(LOOPBACK, service).unwrap();
    let server = server.strategy(one_worker()).spawn().unwrap();
    let clients: Vec<_> = (0..20)
        .map(|_| Tcp::connect(server.server_address()))
        .collect();
    for n in 0..40 {
        let line = format!("{n}\n");
        assert_eq!(clients[n * 7 % 20].ask(&line), line);
    }
    for client in &clients {
        client.send("wait\n");
    }
    for client in &clients {
        assert_eq!(client.line(), "wait\n");
    }
    thread::scope(|scope| {
        for (seed, client) in clients.iter().take(3).enumerate() {
            scope.spawn(move || {
                let data = pattern(seed, 1 << 20);
                assert!(exchange(client, &data) == data, "not what was sent");
            });
        }
    });
    drop(clients);
    let handle = server.handle();
    assert_eq!(in_time(|| server.stop()).unwrap().force_closed.len(), 0);
    assert_eq!(handle.stats().completed, 20);
}

// ---- sockets of the handler ----

/// Forwards each line to another server, and the answer to the client.
fn proxy(upstream: SocketAddr, descriptors: mpsc::Sender<RawFd>) -> Hooks<TcpRequest> {
    Hooks::new(move |request: &mut TcpRequest| {
        let mut buffer = vec![0; 100_000];
        // Connects anew for each line, so that descriptor numbers are reused.
        while let Some(line) = request.next_line(100_000)? {
            let upstream = TcpStream::connect(upstream)?;
            let _ = descriptors.send(upstream.as_raw_fd());
            let mut rest = &line[..];
            while !rest.is_empty() {
                rest = &rest[StreamSocket::send(&upstream, rest)?..];
            }
            let mut left = line.len();
            while left > 0 {
                let size = StreamSocket::recv(&upstream, &mut buffer)?;
                assert_ne!(size, 0, "the upstream server has closed the connection");
                request.send_all(&buffer[..size])?;
                left -= size;
            }
        }
        Ok(())
    })
}

/// Several coroutines of a proxy reuse the same descriptor numbers.
#[test]
fn a_handler_can_wait_for_sockets_of_its_own() {
    // Sockets of other tests would take the numbers.
    let test = test_name!("a_handler_can_wait_for_sockets_of_its_own");
    apart(test, || {
        let slow = Hooks::new(|request: &mut TcpRequest| {
            while let Some(line) = request.next_line(100_000)? {
                // Delays the answer, so that the proxy has to wait.
                socketserver::sleep(Duration::from_millis(1));
                request.send_all(&line)?;
            }
            Ok(())
        });
        let upstream = start::<Tcp, _>(one_worker(), slow);
        let (sender, descriptors) = mpsc::channel();
        let address = *upstream.server.server_address();
        let host = start::<Tcp, _>(Coroutines::new().workers(2), proxy(address, sender));
        thread::scope(|scope| {
            for number in 0..10 {
                let client = host.client();
                scope.spawn(move || {
                    for n in 0..30 {
                        let size = [1, 10, 1000, 20_000][(number + n) % 4];
                        let line = format!("{number} {n} {}\n", "x".repeat(size));
                        assert!(client.ask(&line) == line, "not what was sent");
                    }
                });
            }
        });
        let mut numbers: Vec<_> = descriptors.try_iter().collect();
        assert_eq!(numbers.len(), 300);
        numbers.sort_unstable();
        numbers.dedup();
        // Windows need not give a number out again at once.
        if cfg!(unix) {
            assert!(numbers.len() < 150, "descriptor numbers were not reused");
        }
        assert_eq!(host.server.stats().failed, 0);
        host.stop();
        upstream.stop();
    });
}

/// A wait ends when the timeout of the socket expires, and when the peer closes the connection.
#[test]
fn waits_for_sockets_of_a_handler_end() {
    let silent = TcpListener::bind(LOOPBACK).unwrap();
    let address = silent.local_addr().unwrap();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let upstream = TcpStream::connect(address)?;
        upstream.set_read_timeout(Some(Duration::from_millis(50)))?;
        let error = StreamSocket::recv(&upstream, &mut [0; 10]).unwrap_err();
        request.send_all(format!("{:?}\n", error.kind()))?;
        upstream.set_read_timeout(None)?;
        let size = StreamSocket::recv(&upstream, &mut [0; 10])?;
        request.send_all(format!("{size}\n"))?;
        Ok(())
    });
    let host = start::<Tcp, _>(one_worker(), service);
    let clients = [(); 5].map(|()| host.client());
    let upstreams = [(); 5].map(|()| silent.accept().unwrap().0);
    for client in &clients {
        assert_eq!(client.line(), "TimedOut\n");
    }
    drop(upstreams);
    for client in &clients {
        assert_eq!(client.rest(), b"0\n");
    }
    host.stop();
}

/// A copy of the descriptor stays open after the request. Another connection reuses the original number.
#[test]
fn copies_of_a_descriptor_outlive_their_coroutine() {
    let (kept, copies) = mpsc::channel::<(TcpStream, Sender)>();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        if line == b"keep\n" {
            let copy = request.socket().try_clone()?;
            let _ = kept.send((copy, request.sender()));
            return Ok(());
        }
        echo_lines(request)
    });
    let host = start::<Tcp, _>(one_worker(), service);
    for _ in 0..20 {
        let old = host.client();
        assert_eq!(old.ask("keep\n"), "keep\n");
        let (copy, sender) = next(&copies);
        old.expect_end();
        eventually("the request has ended", || sender.send_all("").is_err());
        // The next connection reuses the descriptor number.
        let new = host.client();
        assert_eq!(new.ask("hello\n"), "hello\n");
        // Input of the old connection must neither wake the new coroutine nor be read by it.
        old.send("for the copy\n");
        assert_eq!(new.ask("hello\n"), "hello\n");
        let mut received = [0; 13];
        assert_eq!(StreamSocket::recv(&copy, &mut received).unwrap(), 13);
        assert_eq!(&received, b"for the copy\n");
        assert_eq!(new.ask("hello\n"), "hello\n");
    }
    host.stop();
}
