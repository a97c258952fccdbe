//! The trait of requests: what every transport's requests have.

use std::io::{self, BufRead, Read, Write};
use std::time::Duration;

use crate::address::Address;
use crate::coroutine::blocking;
use crate::request::while_connected::run_while_connected;
use crate::request::{ConnectionInfo, RequestLifecycle};
#[cfg(doc)]
use crate::request::{DatagramRequest, DatagramSocket, StreamRequest, StreamSocket};
use crate::state::{Sender, ServerHandle};

/// One request of any transport: a connection, or a datagram and the reply to it.
///
/// Every request is a [`BufRead`] (Python: `self.rfile`) and a [`Write`] (Python: `self.wfile`). Therefore
/// `read_until`, `read_exact`, `write!` and every parser that reads from a `BufRead` work on it. It also
/// has the socket calls that Python programs use: [`recv`](Self::recv), [`send_all`](Self::send_all),
/// [`readline`](Self::readline). All of them share one buffer, so they can be mixed and no bytes are lost
/// between them.
///
/// Write `request.take(10)` instead of `request.by_ref().take(10)`. `by_ref` is ambiguous, because `Read`
/// and `Write` both have it, and not needed: `request` is a reference already, and the handler keeps it.
///
/// | | stream | datagram |
/// | --- | --- | --- |
/// | reading | waits for the client; empty at the end of the stream | reads from the packet; empty at its end |
/// | `recv(n)` | the available bytes, at most `n` | the first `n` bytes, then the next; [`packet()`](DatagramRequest::packet) is the whole packet |
/// | writing | sends at once and completely | is collected, and sent as one datagram after the handler has succeeded, unless it is empty |
/// | when the handler returns | the stream is closed in order | the reply is sent, if there is one |
///
/// - **You call** all methods.
/// - **You implement** [`StreamSocket`] or [`DatagramSocket`] for a socket of your own; the request
///   types of this module then serve it. `Request` itself is sealed.
///
/// ```
/// use socketserver::{prelude::*, testing::converse};
///
/// let service = handler_fn(|request: &mut TcpRequest| {
///     request.send_all("your name?\n")?;
///     let name = request.next_text_line(100)?.unwrap_or_default();
///     Ok(writeln!(request, "hello {name}")?)
/// });
/// assert_eq!(converse(service, "Ada\n")?, b"your name?\nhello Ada\n");
/// # Ok::<(), BoxError>(())
/// ```
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

    /// The address of the client. Python: `self.client_address`.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let client = *request.client_address();
    ///     assert!(client.ip().is_loopback());
    ///     Ok(request.send_all("from this machine")?)
    /// });
    /// assert_eq!(converse(service, "")?, b"from this machine");
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "getpeername")]
    fn client_address(&self) -> &Self::Address;

    /// Returns the address to which the client has connected, or to which it has sent the datagram. On a
    /// server that is bound to all addresses of the host (`0.0.0.0`, `[::]`), this is the one that the client
    /// has used. Python: `self.request.getsockname()`, which does not report it for datagrams.
    ///
    /// For UDP, the address can be a multicast group or a broadcast address. Systems other than Linux do not
    /// report it; there, and for Unix sockets, it is the address to which the server is bound.
    ///
    /// ```
    /// use socketserver::prelude::*;
    /// use std::net::UdpSocket;
    ///
    /// let show = handler_fn(|request: &mut UdpRequest| {
    ///     let local = request.local_address()?;
    ///     Ok(write!(request, "you asked {}", local.ip())?)
    /// });
    /// let server = UdpServer::bind("0.0.0.0:0", show)?.spawn()?;
    /// let client = UdpSocket::bind("127.0.0.1:0")?;
    /// # client.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
    /// client.connect(("127.0.0.1", server.server_address().port()))?;
    /// client.send(b"?")?;
    /// let mut answer = [0; 100];
    /// let size = client.recv(&mut answer)?;
    /// # #[cfg(target_os = "linux")]
    /// assert_eq!(&answer[..size], b"you asked 127.0.0.1");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An error of `getsockname(2)`; `Unsupported` for a socket of your own that does not implement
    /// [`StreamSocket::local_address`] or [`DatagramSocket::local_address`].
    #[doc(alias = "getsockname")]
    #[doc(alias = "IP_PKTINFO")]
    fn local_address(&self) -> io::Result<Self::Address>;

    /// The handle of the server. Its [`shutdown`](ServerHandle::shutdown) can be called in a handler, under
    /// every strategy. Python: `self.server`.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let requests = request.server().stats().accepted;
    ///     Ok(write!(request, "request {requests}")?)
    /// });
    /// assert_eq!(converse(service, "")?, b"request 1");
    /// # Ok::<(), BoxError>(())
    /// ```
    fn server(&self) -> &ServerHandle;

    /// How the request has come: the listener, and what its connection says about the client.
    ///
    /// See the [example](ConnectionInfo).
    fn connection_info(&self) -> ConnectionInfo {
        let server = self.server();
        let listener = server.server_addresses().get(self.listener());
        let listener = listener.unwrap_or(server.server_address());
        self.complete_info(ConnectionInfo::new(listener.clone()))
    }

    /// Returns a handle with which other threads, and the handlers of other clients, can write to this
    /// client. It is cheap to clone. The member list of a chat server is a map of such handles.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let sender = request.sender();
    ///     let writer = std::thread::spawn(move || sender.send_all("from a thread"));
    ///     Ok(writer.join().unwrap()?)
    /// });
    /// assert_eq!(converse(service, "")?, b"from a thread");
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "gevent.queue.Queue")]
    fn sender(&self) -> Sender;

    /// Sets how long each following read and each following write may wait; `None` removes the limit. A
    /// read or write that times out fails with an error of kind [`TimedOut`](io::ErrorKind::TimedOut), and
    /// the request stays usable. Has no effect on a datagram, whose reads and writes do not wait.
    ///
    /// Replaces the server's [`read_timeout`](crate::ServerOptions::read_timeout) and
    /// [`write_timeout`](crate::ServerOptions::write_timeout). The server's other timeouts stay. For
    /// example, an [`idle_timeout`](crate::ServerOptions::idle_timeout) applies to the reads after an
    /// answer.
    ///
    /// The kernel measures the time with coarse timers: a timeout can expire some percent late.
    ///
    /// Python: the `timeout` attribute of `StreamRequestHandler`, or `settimeout`. In Python, after one
    /// timeout, `rfile` rejects every further read.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::TestServer};
    /// use std::{io::ErrorKind, time::Duration};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     request.set_timeout(Duration::from_millis(10))?;
    ///     let error = request.recv(100).unwrap_err(); // the client sends nothing
    ///     assert_eq!(error.kind(), ErrorKind::TimedOut);
    ///     Ok(request.send_all("too slow")?)
    /// });
    /// let server = TestServer::start(TcpServer::bind("127.0.0.1:0", service)?);
    /// assert_eq!(server.client().rest()?, b"too slow");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero.
    #[doc(alias = "settimeout")]
    #[doc(alias = "gevent.Timeout")]
    #[doc(alias = "asyncio.wait_for")]
    fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> io::Result<()>;

    /// Ends the request now instead of when the handler returns. A stream is shut down in both directions:
    /// later writes fail, and later reads return the bytes that had arrived, then the end of the stream.
    /// Of a datagram, the unread part of the packet and the reply so far are discarded.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     request.send_all("bye")?;
    ///     request.close();
    ///     assert!(request.send_all("more").is_err());
    ///     Ok(())
    /// });
    /// assert_eq!(converse(service, "")?, b"bye");
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "shutdown_request")]
    #[doc(alias = "close_request")]
    fn close(&mut self);

    /// Receives the available bytes, at most `size`. Waits only if none are available. Empty at the end of
    /// the stream or packet, and for a `size` of 0. Python: `request.recv(size)`.
    ///
    /// Calls `recv(2)` at most once: bytes in the buffer, which arrived together with bytes that were read before,
    /// are returned first, without a call.
    ///
    /// One `recv` is not one message, because a stream has no message boundaries. Use
    /// [`readline`](Self::readline) or [`read_exactly`](Self::read_exactly) if the protocol has messages.
    ///
    /// A loop that takes a silence, a reset and the end of the stream as the end of the conversation:
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     while let Ok(data) = request.recv(1024) {
    ///         if data.is_empty() {
    ///             break;
    ///         }
    ///         request.send_all(data)?;
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!(converse(service, "hello")?, b"hello");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `TimedOut` as set by [`set_timeout`](Self::set_timeout) or by the server's options
    /// ([`TimeoutKind`](crate::TimeoutKind)); `ConnectionAborted` with
    /// [`ShuttingDown`](crate::ShuttingDown) inside if the server force-closed the connection to stop;
    /// `ConnectionReset` and others if the client is gone ([`DisconnectKind`](crate::DisconnectKind)).
    fn recv(&mut self, size: usize) -> io::Result<Vec<u8>> {
        if size == 0 {
            return Ok(Vec::new());
        }
        let available = self.fill_buf()?;
        let data = available[..available.len().min(size)].to_vec();
        self.consume(data.len());
        Ok(data)
    }

    /// Sends all of `data` (text or bytes). A stream sends it at once; a datagram request appends it to the
    /// reply, which is not sent if it stays empty. Python: `request.sendall(data)`.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     request.send_all("text, ")?;
    ///     Ok(request.send_all(b"bytes")?)
    /// });
    /// assert_eq!(converse(service, "")?, b"text, bytes");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `BrokenPipe`, `ConnectionReset` and others if the client is gone
    /// ([`DisconnectKind`](crate::DisconnectKind)), `TimedOut` if it does not read,
    /// `ConnectionAborted` with [`ShuttingDown`](crate::ShuttingDown) inside if the server force-closed the
    /// connection to stop. In all cases, a part of `data` may have been sent.
    #[doc(alias = "sendall")]
    fn send_all<D: AsRef<[u8]>>(&mut self, data: D) -> io::Result<()> {
        self.write_all(data.as_ref())
    }

    /// Reads one line with its `\n`, but at most `limit` bytes of it. Python: `rfile.readline(limit)`.
    ///
    /// A result without `\n` at the end means that the line is longer, and the next call continues it, or
    /// that the client ended the stream without `\n`. An empty result is the end of the stream. There is no
    /// default limit, because without a limit a client could fill the memory. If the call fails after a
    /// part of the line, for example by a timeout, this part is lost.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     assert_eq!(request.readline(100)?, b"hello\n");
    ///     assert_eq!(request.readline(3)?, b"wor"); // the limit
    ///     assert_eq!(request.readline(100)?, b"ld"); // the end, without a line end
    ///     assert_eq!(request.readline(100)?, b"");
    ///     Ok(())
    /// });
    /// assert_eq!(converse(service, "hello\nworld")?, b"");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    fn readline(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        Read::take(&mut *self, limit as u64).read_until(b'\n', &mut line)?;
        Ok(line)
    }

    /// Reads the next line with its `\n`; `None` at the end. Python: `for line in self.rfile`.
    ///
    /// A last line without `\n` is returned as it is: [`expect_line`](Self::expect_line) is for protocols in
    /// which that is a cut message. A line of more than `limit` bytes is an error, because otherwise the handler
    /// would take its parts for several lines. (Python's loop has no limit.) Memory is allocated as the bytes
    /// arrive, so a high limit costs nothing by itself.
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
    /// `for line in request.lines()` is possible too, but borrows the request, so that the loop cannot
    /// answer. A stream can be [split](StreamRequest::split).
    ///
    /// # Errors
    ///
    /// `InvalidData` for a line that is too long; otherwise as for [`recv`](Self::recv).
    fn next_line(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let line = self.readline(limit)?;
        let may_continue = line.len() == limit && !line.ends_with(b"\n");
        if may_continue && !self.fill_buf()?.is_empty() {
            let error = format!("the client sent a line of more than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok((!line.is_empty()).then_some(line))
    }

    /// Reads the next line as text, without its line end (`\n` or `\r\n`); `None` at the end. Python:
    /// `line.decode().rstrip("\r\n")`.
    ///
    /// ```
    /// # use socketserver::{Request, Result};
    /// fn greet(request: &mut impl Request) -> Result {
    ///     while let Some(name) = request.next_text_line(100)? {
    ///         writeln!(request, "hello, {name}")?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidData` for a line that is not UTF-8; otherwise as for [`next_line`](Self::next_line). The line
    /// that is not UTF-8 has been read, and the next call returns the line after it.
    #[doc(alias = "decode")]
    #[doc(alias = "rstrip")]
    fn next_text_line(&mut self, limit: usize) -> io::Result<Option<String>> {
        let Some(mut line) = self.next_line(limit)? else {
            return Ok(None);
        };
        if line.ends_with(b"\n") {
            line.pop();
            if line.ends_with(b"\r") {
                line.pop();
            }
        }
        let not_utf8 = |_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the client sent a line that is not UTF-8",
            )
        };
        String::from_utf8(line).map(Some).map_err(not_utf8)
    }

    /// Reads a line that must be there, with its `\n`. For protocols in which a header line announces what
    /// follows: it is the [`read_exactly`](Self::read_exactly) of lines.
    ///
    /// ```
    /// # use socketserver::{Request, Result};
    /// /// A message is a line with its size, and then as many bytes.
    /// fn echo_messages(request: &mut impl Request) -> Result {
    ///     while request.wait_for_message()? {
    ///         let header = request.expect_line(20)?;
    ///         let size: usize = std::str::from_utf8(&header)?.trim().parse()?;
    ///         let body = request.read_exactly(size.min(1 << 20))?;
    ///         request.send_all(header)?;
    ///         request.send_all(body)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the stream or packet ends before the line does. For a stream, this is a
    /// [disconnect](crate::HandlerError::is_disconnect), as for `read_exactly`. Otherwise as for
    /// [`next_line`](Self::next_line).
    fn expect_line(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let line = self.next_line(limit)?.unwrap_or_default();
        if !line.ends_with(b"\n") {
            // The stream has ended: this returns its error for the missing byte.
            self.read_exact(&mut [0])?;
        }
        Ok(line)
    }

    /// Waits for input, and returns whether the stream or packet has ended instead. Consumes nothing. Python:
    /// `not self.rfile.peek(1)`.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let mut sum = 0;
    ///     while !request.at_end()? {
    ///         sum += u32::from(u16::from_be_bytes(request.read_bytes()?));
    ///     }
    ///     Ok(write!(request, "{sum}")?)
    /// });
    /// assert_eq!(converse(service, [0, 1, 0, 2])?, b"3");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    #[doc(alias = "peek")]
    fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.fill_buf()?.is_empty())
    }

    /// Waits until the client's next message begins to arrive. Returns `false` if there is none: the client
    /// ended the stream, or the server stops. For handlers that answer several messages of one client:
    ///
    /// ```
    /// # use socketserver::{Request, Result};
    /// fn echo_lines(request: &mut impl Request) -> Result {
    ///     while request.wait_for_message()? {
    ///         let line = request.readline(10_000)?;
    ///         request.send_all(&line)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// A client that stays connected and sends nothing delays a stop for the whole
    /// [grace period](crate::Server::grace_period), because its handler waits in a read. A handler that waits
    /// here is told at once, after a [lame-duck time](crate::Server::lame_duck), and the request is counted as
    /// completed. Messages that have arrived are still answered. Only a message of which a part arrives at the
    /// moment of the stop is cut: the read of its rest fails with [`ShuttingDown`](crate::ShuttingDown).
    ///
    /// For a datagram, returns whether an unread part of the packet is left. Python has no such method.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv). The timeouts of a read apply: after an answer, that is the
    /// [`idle_timeout`](crate::ServerOptions::idle_timeout).
    #[doc(alias = "keep-alive")]
    fn wait_for_message(&mut self) -> io::Result<bool> {
        Ok(!self.at_end()?)
    }

    /// Returns whether the client has closed the connection, reset it, or ended its sending side. Does not
    /// wait, and reads nothing. For handlers that work for a long time before they answer.
    ///
    /// A client that has ended only its sending side (`shutdown(SHUT_WR)`, `nc -N`) may still wait for the
    /// answer, and cannot be told apart from a client that has left. Clients of some protocols do so; there, do
    /// not take `true` as a reason to give up.
    ///
    /// For a datagram, and for a [socket](StreamSocket::descriptor) without a descriptor, always `false`.
    /// After the server has force-closed the connection, `true`.
    ///
    /// Python: `request.recv(1, MSG_PEEK | MSG_DONTWAIT) == b""`, which overlooks the end while unread input is
    /// left.
    ///
    /// ```
    /// # use socketserver::{Request, Result};
    /// # fn next_part(number: u32) -> u64 { number.into() }
    /// fn compute(request: &mut impl Request) -> Result {
    ///     let mut sum = 0;
    ///     for number in 0..1000 {
    ///         if request.is_client_gone() {
    ///             return Ok(()); // the answer is of use to no client
    ///         }
    ///         sum += next_part(number);
    ///     }
    ///     Ok(request.send_all(sum.to_string())?)
    /// }
    /// ```
    #[doc(alias = "MSG_PEEK")]
    fn is_client_gone(&self) -> bool {
        false
    }

    /// Runs `work`, which may block or take long, as [`blocking`](crate::blocking) does. If the client
    /// [goes](Self::is_client_gone) meanwhile, or the server force-closes the connection, calls `cancel` once, on
    /// another thread. `cancel` should make `work` return: cancel the query, kill the subprocess, set a flag.
    ///
    /// ```
    /// use socketserver::prelude::*;
    /// use std::process::{Command, Stdio};
    ///
    /// let report = handler_fn(|request: &mut TcpRequest| {
    ///     let child = Command::new("sleep").arg("0.1").stdout(Stdio::piped()).spawn()?;
    ///     let id = child.id().to_string();
    ///     let output = request.while_connected(
    ///         || child.wait_with_output(),
    ///         || drop(Command::new("kill").arg(id).status()),
    ///     )?;
    ///     Ok(request.send_all(output.stdout)?)
    /// });
    /// # let server = ThreadingTcpServer::bind("127.0.0.1:0", report)?.spawn()?;
    /// # let mut client = std::net::TcpStream::connect(server.server_address())?;
    /// # assert_eq!(client.read_to_end(&mut Vec::new())?, 0);
    /// # assert_eq!(server.stop()?.failed, 0);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// `cancel` may be called just after `work` has returned, but not after `while_connected` has. It costs a
    /// thread for the time of `work`. If the system provides no thread or no descriptors, `work` runs and
    /// `cancel` is not called.
    ///
    /// # Panics
    ///
    /// If `work` panics, the panic continues in the handler. A panic in `cancel` is caught.
    fn while_connected<T: Send>(
        &self,
        work: impl FnOnce() -> T + Send,
        cancel: impl FnOnce() + Send,
    ) -> T {
        match self.descriptor() {
            Some(descriptor) => blocking(|| run_while_connected(descriptor, work, cancel)),
            None => blocking(work),
        }
    }

    /// Reads exactly `size` bytes, for length-prefixed messages. Python: `rfile.read(size)`, which may
    /// return less.
    ///
    /// Memory is allocated as the bytes arrive. Therefore a client that announces gigabytes and sends none
    /// costs at most 64 KiB. Still, check lengths that come from the network.
    ///
    /// The end of the stream between two messages is also an `UnexpectedEof` for a handler that reads the
    /// next message. Check first: [`at_end`](Self::at_end).
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let [size] = request.read_bytes()?;
    ///     let message = request.read_exactly(size.into())?;
    ///     Ok(request.send_all(message)?)
    /// });
    /// assert_eq!(converse(service, b"\x05hello, and more")?, b"hello");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the stream or packet ends before `size` bytes; otherwise as for
    /// [`recv`](Self::recv).
    fn read_exactly(&mut self, size: usize) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        while data.len() < size {
            let start = data.len();
            data.resize(size.min(start + 64 * 1024), 0);
            self.read_exact(&mut data[start..])?;
        }
        Ok(data)
    }

    /// Reads exactly `N` bytes into an array. For numbers: `u32::from_be_bytes(request.read_bytes()?)`.
    /// Python: `struct.unpack("!I", self.rfile.read(4))`.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let number = u32::from_be_bytes(request.read_bytes()?);
    ///     Ok(request.send_all((number + 1).to_be_bytes())?)
    /// });
    /// assert_eq!(converse(service, [0, 0, 1, 0])?, [0, 0, 1, 1]);
    /// # Ok::<(), BoxError>(())
    /// ```
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
