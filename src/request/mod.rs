//! Requests: what a handler reads from and writes to.

mod buffer;
mod connection;
mod datagram;
mod lifecycle;
mod spare;
mod stream;
mod stream_socket;
mod timeouts;

use std::io::{self, BufRead, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

pub use self::datagram::{DatagramRequest, DatagramSocket};
pub use self::stream::{StreamReader, StreamRequest, StreamWriter};
pub use self::stream_socket::StreamSocket;
pub use crate::state::{Activity, RequestInfo, Sender};

pub(crate) use self::buffer::have_spare;
pub(crate) use self::lifecycle::RequestLifecycle;

use crate::address::Address;
use crate::state::ServerHandle;

/// A connection of a TCP server.
pub type TcpRequest = StreamRequest<TcpStream>;
/// A datagram of a UDP server.
pub type UdpRequest = DatagramRequest<UdpSocket>;
/// A connection of a Unix stream server.
pub type UnixStreamRequest = StreamRequest<UnixStream>;
/// A datagram of a Unix datagram server.
pub type UnixDatagramRequest = DatagramRequest<UnixDatagram>;

/// One request, whatever the transport: a connection, or a datagram and the reply to it.
///
/// It is a [`BufRead`] (Python: `self.rfile`) and a [`Write`] (Python: `self.wfile`), so
/// `read_until`, `read_exact`, `write!` and every parser that reads from a `BufRead` work on it, and
/// it has the socket calls that Python programs use: [`recv`](Self::recv),
/// [`send_all`](Self::send_all), [`readline`](Self::readline). All of them share one buffer, so
/// they can be mixed freely and nothing is lost between them.
///
/// There is no need for `request.by_ref()`, which is ambiguous, because `Read` and `Write` both have
/// it: `request.take(10)` leaves the request to the handler as well.
///
/// | | stream | datagram |
/// | --- | --- | --- |
/// | reading | waits for the client; empty at the end of the stream | from the packet; empty at its end |
/// | `recv(n)` | what is there, at most `n` bytes | the first `n` bytes, then the next; [`packet()`](DatagramRequest::packet) is all of it |
/// | writing | is sent at once, all of it | is reaped and sent as one datagram when the handler succeeded, unless it is empty |
/// | when the handler returns | the stream is closed in order | the reply is sent, if something was written |
///
/// - **You call** all methods.
/// - **You implement** [`StreamSocket`] or [`DatagramSocket`] for a socket of your own; the request
///   types of this module then serve it. The trait itself is sealed.
#[doc(alias = "rfile")]
#[doc(alias = "wfile")]
#[doc(alias = "makefile")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request",
    label = "not a request",
    note = "a handler gets a `TcpRequest`, `UdpRequest`, `UnixStreamRequest` or `UnixDatagramRequest`; \
            the bare socket is its `socket()`",
    note = "to be written for all of them: `impl<R: Request> RequestHandler<R>`, with `request: &mut R`"
)]
pub trait Request: RequestLifecycle + BufRead + Write + Send + Sized + 'static {
    /// The type of client addresses: [`SocketAddr`](std::net::SocketAddr) or
    /// [`UnixAddress`](crate::UnixAddress).
    type Address: Address;

    /// Who sent the request.
    fn client_address(&self) -> &Self::Address;

    /// The server's life cycle: [`shutdown`](ServerHandle::shutdown) works from here, under every
    /// strategy.
    fn server(&self) -> &ServerHandle;

    /// A cheap handle that other threads, and the handlers of other clients, can write to this
    /// client with: the member list of a chat server is a map of these.
    #[doc(alias = "gevent.queue.Queue")]
    fn sender(&self) -> Sender;

    /// Bounds how long each following read and write may wait; `None` removes the bound. A read
    /// or write that runs into it is an error of kind [`TimedOut`](io::ErrorKind::TimedOut), and
    /// the request stays usable. For a datagram there is nothing to wait for: it does nothing.
    ///
    /// It takes the place of the server's [`read_timeout`](crate::ServerOptions::read_timeout) and
    /// [`write_timeout`](crate::ServerOptions::write_timeout). Its other times stay: where it has an
    /// [`idle_timeout`](crate::ServerOptions::idle_timeout), say, that is for the reads after an answer.
    ///
    /// Python: the `timeout` attribute of `StreamRequestHandler`, or `settimeout`. There, after
    /// one timeout, `rfile` refuses every further read. It is the kernel that keeps the time, with
    /// coarse timers: a timeout can come some percent late.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero.
    #[doc(alias = "settimeout")]
    #[doc(alias = "gevent.Timeout")]
    #[doc(alias = "asyncio.wait_for")]
    fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> io::Result<()>;

    /// Ends the conversation now instead of when the handler returns. A stream is shut down in
    /// both directions: later writes fail, later reads see its end, after what had arrived before. Of
    /// a datagram, the rest of the packet and the reply written so far are dropped.
    fn close(&mut self);

    /// Receives at most `size` bytes: what is there, waiting only if nothing is. Empty at the end
    /// of the stream or packet (and for a `size` of 0). Python: `request.recv(size)`.
    ///
    /// One `recv` is not one message: a stream has no message borders. Use
    /// [`readline`](Self::readline) or [`read_exactly`](Self::read_exactly) where there are some.
    ///
    /// # Errors
    ///
    /// `TimedOut` as set by [`set_timeout`](Self::set_timeout) or by the server's options
    /// ([`TimeoutKind`](crate::TimeoutKind)); `ConnectionReset` if the client
    /// crashed; [`ShuttingDown`](crate::ShuttingDown) if the server cut the connection to stop.
    fn recv(&mut self, size: usize) -> io::Result<Vec<u8>> {
        if size == 0 {
            return Ok(Vec::new());
        }
        let there = self.fill_buf()?;
        let data = there[..there.len().min(size)].to_vec();
        self.consume(data.len());
        Ok(data)
    }

    /// Sends all of `data` (a text, bytes): at once to a stream, as part of the reply to a datagram
    /// (which is not sent if it stays empty). Python: `request.sendall(data)`.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` or `ConnectionReset` if the client is gone, `TimedOut` if it does not read;
    /// part of `data` may have been sent then.
    #[doc(alias = "sendall")]
    fn send_all<D: AsRef<[u8]>>(&mut self, data: D) -> io::Result<()> {
        self.write_all(data.as_ref())
    }

    /// Reads one line with its `\n`, but at most `limit` bytes of it. Python:
    /// `rfile.readline(limit)`.
    ///
    /// No `\n` at the end means that the line is longer (the next call goes on with it), or that
    /// the client closed the stream without one; an empty result is the end. Without a limit a
    /// client could fill the memory, so there is no default. If it fails half-way, by a timeout say,
    /// what it had read of the line is gone.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    fn readline(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        Read::take(&mut *self, limit as u64).read_until(b'\n', &mut line)?;
        Ok(line)
    }

    /// The next line with its `\n`; `None` at the end. Python: `for line in self.rfile`.
    ///
    /// A line of more than `limit` bytes is an error: a piece of it that passes for a line would make
    /// the rest of it look like the next one. (Python's loop has no limit.)
    ///
    /// ```
    /// # use socketserver::{Request, UdpRequest, Result};
    /// fn echo_lines(request: &mut impl Request) -> Result {
    ///     while let Some(line) = request.next_line(10_000)? {
    ///         request.send_all(&line)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// (`for line in request.lines()` is possible too, but borrows the request, so that the loop
    /// could not answer; a stream can be [split](StreamRequest::split).)
    ///
    /// # Errors
    ///
    /// `InvalidData` for a line that is too long; else as for [`recv`](Self::recv).
    fn next_line(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let line = self.readline(limit)?;
        let is_force_closed = line.len() == limit && !line.ends_with(b"\n");
        if is_force_closed && !self.fill_buf()?.is_empty() {
            let error = format!("the client sent a line of more than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok((!line.is_empty()).then_some(line))
    }

    /// Reads exactly `size` bytes: for length-prefixed messages. Python: `rfile.read(size)`, which
    /// may return less.
    ///
    /// Memory is taken as the bytes arrive, so a client that announces gigabytes and sends none
    /// costs nothing; still, check lengths that come from the network.
    ///
    /// A client that is done at the border of two messages also ends in `UnexpectedEof`, if the
    /// handler tries to read a third. Look first: `request.fill_buf()?.is_empty()` is the end.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the stream or packet ends before; else as for [`recv`](Self::recv).
    fn read_exactly(&mut self, size: usize) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        while data.len() < size {
            let start = data.len();
            data.resize(size.min(start + 64 * 1024), 0);
            self.read_exact(&mut data[start..])?;
        }
        Ok(data)
    }

    /// Reads exactly `N` bytes into an array, for numbers: `u32::from_be_bytes(request.read_bytes()?)`.
    /// Python: `struct.unpack("!I", self.rfile.read(4))`.
    ///
    /// # Errors
    ///
    /// As for [`read_exactly`](Self::read_exactly).
    #[doc(alias = "unpack")]
    fn read_bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        self.read_exact(&mut array)?;
        Ok(array)
    }
}

/// The kind of requests that a transport receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A connection: may last long, and mostly waits for its client.
    Connection,
    /// One datagram, received in full before its handler runs.
    Datagram,
}
