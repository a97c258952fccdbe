//! A socket that does the minimum: it sends and receives a few bytes at a time, every second call is
//! interrupted, and calls that must not wait sometimes return `WouldBlock`.

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socketserver::RequestKind;
use socketserver::request::StreamSocket;
use socketserver::transport::{Bind, FromListener, SocketOptions, Tcp};
use socketserver::{Error, Request, Sequential, Server, ServerHandle, StreamRequest, Transport};

use crate::support::kinds::{Kind, by_kind_here};
use crate::support::net::*;

by_kind_here!(
    every_byte_arrives_in_small_pieces,
    lines_arrive_in_small_pieces,
    messages_of_other_threads_do_not_mix,
);

/// Transport whose connections are [`PartialSocket`]s.
struct PartialTransport {
    listener: TcpListener,
    address: SocketAddr,
}

struct PartialSocket {
    socket: TcpStream,
    sends: AtomicUsize,
    receives: AtomicUsize,
}

impl PartialSocket {
    /// Returns the largest number of bytes of the next call. Every second call is interrupted instead.
    fn next(counter: &AtomicUsize) -> io::Result<usize> {
        match counter.fetch_add(1, Ordering::Relaxed) {
            n if n % 2 == 0 => Err(ErrorKind::Interrupted.into()),
            n => Ok(1 + n % 13),
        }
    }
}

impl StreamSocket for PartialSocket {
    type Address = SocketAddr;

    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = Self::next(&self.receives)?.min(buffer.len());
        self.socket.recv(&mut buffer[..most])
    }

    fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let most = Self::next(&self.receives)?;
        if most == 4 {
            // Simulates an empty receive buffer, which this call reports instead of waiting.
            return Err(ErrorKind::WouldBlock.into());
        }
        // The default implementation would fill the whole spare capacity.
        let mut some = [0; 16];
        let room = buffer.capacity() - buffer.len();
        let received = self.socket.recv(&mut some[..most.min(room)])?;
        buffer.extend_from_slice(&some[..received]);
        Ok(received)
    }

    fn before_recv(&self, _in_vain: bool) -> io::Result<()> {
        Ok(())
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        let most = Self::next(&self.sends)?.min(data.len());
        self.socket.send(&data[..most])
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.socket.try_send(data)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        StreamSocket::shutdown(&self.socket, how)
    }

    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        StreamSocket::set_timeout(&self.socket, timeout)
    }

    fn before_close(&self) {
        self.socket.before_close();
    }
}

impl AsFd for PartialTransport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Transport for PartialTransport {
    type Request = StreamRequest<PartialSocket>;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Connection;

    fn server_address(&self) -> &SocketAddr {
        &self.address
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request> {
        let (socket, client) = self.listener.accept()?;
        socket.set_nonblocking(false)?;
        let socket = PartialSocket {
            socket,
            sends: AtomicUsize::new(0),
            receives: AtomicUsize::new(0),
        };
        Ok(StreamRequest::new(socket, client, server))
    }
}

impl FromListener<TcpListener> for PartialTransport {
    fn from_listener(listener: TcpListener, _: &SocketOptions) -> Result<Self, Error> {
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        Ok(Self { listener, address })
    }
}

impl Bind<SocketAddr> for PartialTransport {
    fn server_bind(address: SocketAddr, options: &SocketOptions) -> Result<Self, Error> {
        Self::from_listener(TcpListener::bind(address).unwrap(), options)
    }
}

type PartialRequest = StreamRequest<PartialSocket>;

/// Runs `talk` with three clients of a server. Each request has to succeed.
fn with_server(
    kind: Kind,
    handle: impl Fn(&mut PartialRequest) -> socketserver::Result + Send + Sync + 'static,
    talk: impl Fn(&Client) + Sync,
) {
    let (service, failures) = Hooks::new(handle).failures();
    let server = Server::<PartialTransport, _, Sequential>::bind(own_loopback(), service).unwrap();
    let server = server.strategy(kind.strategy()).spawn().unwrap();
    let address = *server.server_address();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let client = Tcp::connect(&address);
                talk(&client);
                client.finish();
                client.expect_end();
            });
        }
    });
    eventually("all requests have ended", || server.stats().active == 0);
    let stats = server.stats();
    assert_eq!((stats.accepted, stats.completed), (3, 3), "{stats:?}");
    assert!(failures.try_recv().is_err());
    in_time(move || server.stop()).unwrap();
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n ^ (n >> 8)) as u8).collect()
}

/// The messages are a small one, one of several pieces, and one that is larger than the buffer.
fn every_byte_arrives_in_small_pieces(kind: Kind) {
    const SIZES: [usize; 4] = [1, 100, 5_000, 20_000];
    let handle = |request: &mut PartialRequest| {
        for size in SIZES {
            let message = request.read_exactly(size)?;
            request.send_all(&message)?;
        }
        Ok(())
    };
    with_server(kind, handle, |client| {
        for size in SIZES {
            client.send(pattern(size));
            assert!(client.exactly(size) == pattern(size), "{size} bytes");
        }
    });
}

/// Reads lines, and then as much as `recv` returns.
fn lines_arrive_in_small_pieces(kind: Kind) {
    let handle = |request: &mut PartialRequest| {
        for _ in 0..20 {
            let line = request.readline(1000)?;
            write!(request, "{} bytes: ", line.len())?;
            request.write_all(&line)?;
        }
        let mut rest = Vec::new();
        while rest.len() < 1000 {
            rest.extend(request.recv(1000)?);
        }
        Ok(request.send_all(rest)?)
    };
    with_server(kind, handle, |client| {
        for n in 0..20 {
            let line = format!("{}\n", "x".repeat(n * 10));
            let answer = ask_line(client, &line);
            assert_eq!(answer, format!("{} bytes: {line}", line.len()));
        }
        client.send(pattern(1000));
        assert!(client.exactly(1000) == pattern(1000));
    });
}

/// Sends a line and reads the reply byte by byte up to the end of its line.
fn ask_line(client: &Client, question: &str) -> String {
    client.send(question);
    let mut answer = Vec::new();
    while answer.last() != Some(&b'\n') {
        answer.extend(client.exactly(1));
    }
    String::from_utf8(answer).unwrap()
}

/// Each message of the handler and of another thread arrives in one piece.
fn messages_of_other_threads_do_not_mix(kind: Kind) {
    const MESSAGES: usize = 50;
    let handle = |request: &mut PartialRequest| {
        let sender = request.sender();
        let other = thread::spawn(move || {
            for _ in 0..MESSAGES {
                sender.send_all("o".repeat(99) + "\n")?;
            }
            io::Result::Ok(())
        });
        for _ in 0..MESSAGES {
            request.send_all("h".repeat(99) + "\n")?;
        }
        socketserver::blocking(|| other.join()).unwrap()?;
        Ok(())
    };
    with_server(kind, handle, |client| {
        let all = client.exactly(2 * MESSAGES * 100);
        for message in all.chunks(100) {
            let (text, end) = message.split_at(99);
            assert_eq!(end, b"\n");
            assert!(text.iter().all(|letter| *letter == text[0]), "mixed");
        }
    });
}
