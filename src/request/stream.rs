//! Requests of stream servers: connections.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
#[cfg(feature = "proxy-protocol")]
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::coroutine::fair_mutex::FairMutex;
use crate::panics::CatchDropPanic;
use crate::request::connection::Connection;
#[cfg(feature = "proxy-protocol")]
use crate::request::handshake::ExpectedHeader;
use crate::request::handshake::PendingHandshake;
#[cfg(feature = "proxy-protocol")]
use crate::request::proxy_state::ProxyState;
use crate::request::stream_halves::{StreamReader, StreamWriter};
use crate::request::stream_socket::{HandshakeStep, StreamSocket};
use crate::request::timeouts::ConnectionTimeouts;
use crate::request::{ConnectionInfo, Request, RequestLifecycle};
use crate::state::live_connection::LiveConnection;
use crate::state::{ConnectionState, Registration, Rejection, Sender, ServerHandle};
use crate::sys;
use crate::sys::fd::BorrowedFd;
use crate::sys::poll;
use crate::timeout::TimeoutConfig;

/// A connection of a stream server: see [`Request`] for how to read from it and write to it.
///
/// See the [example](Request).
#[doc(alias = "connection")]
pub struct StreamRequest<S: StreamSocket> {
    reader: StreamReader<S>,
    writer: StreamWriter<S>,
    /// `None` once it is complete, or if there is none.
    handshake: Option<Box<PendingHandshake>>,
    /// Number of the listener.
    listener: usize,
}

impl<S: StreamSocket> StreamRequest<S> {
    /// Makes a request from an accepted connection, without timeouts except those that the socket has.
    /// For the [`get_request`](crate::Transport::get_request) of your own transport.
    ///
    /// See the [example](StreamSocket).
    pub fn new(socket: S, client_address: S::Address, server: &ServerHandle) -> Self {
        // The socket may have a timeout.
        sys::socket::expect_timeouts();
        Self::accepted(socket, client_address, server, &TimeoutConfig::default())
    }

    /// Makes a request with the timeouts of the server's options. Your own transport finds them in
    /// [`SocketOptions::timeouts`](crate::transport::SocketOptions::timeouts).
    ///
    /// Sets the socket's timeouts. The `first_byte` timeout and the `request` timeout begin now.
    ///
    /// See the [example](crate::Transport).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero; `ConnectionAborted`, which concerns this client only, if
    /// [`StreamSocket::set_timeouts`] fails.
    pub fn with_timeouts(
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
        config: &TimeoutConfig,
    ) -> io::Result<Self> {
        sys::socket::expect_timeouts();
        config.check()?;
        let timeouts = ConnectionTimeouts::new(config);
        if let Some(timeouts) = &timeouts {
            let (read, write) = config.socket_timeouts();
            socket
                .set_timeouts(read, write)
                .map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, error))?;
            timeouts.record_socket_timeouts(&socket);
        }
        Ok(Self::with_connection_timeouts(
            socket,
            client_address,
            server,
            timeouts,
            config.handshake,
        ))
    }

    /// Makes a request from a socket whose timeouts were set by this crate, if it has any.
    pub(crate) fn accepted(
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
        config: &TimeoutConfig,
    ) -> Self {
        Self::with_connection_timeouts(
            socket,
            client_address,
            server,
            ConnectionTimeouts::new(config),
            config.handshake,
        )
    }

    fn with_connection_timeouts(
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
        timeouts: Option<ConnectionTimeouts>,
        handshake_timeout: Option<Duration>,
    ) -> Self {
        let handshake = socket
            .needs_handshake()
            .then(|| PendingHandshake::begin(handshake_timeout));
        // The connection and its entry in the registry refer to each other. `new_cyclic` allocates before
        // the registry is locked, and a force-close finds no connection until it has returned.
        let connection = Arc::new_cyclic(|connection: &Weak<Connection<S>>| Connection {
            socket: CatchDropPanic::new(socket),
            peer_address: client_address,
            #[cfg(feature = "proxy-protocol")]
            proxy: ProxyState::default(),
            sending: FairMutex::default(),
            timeouts,
            state: Registration::new(server, connection.clone()),
        });
        connection.state.set_in_handshake(handshake.is_some());
        Self {
            reader: StreamReader::new(Arc::clone(&connection)),
            writer: StreamWriter { connection },
            handshake,
            listener: 0,
        }
    }

    /// The socket, for its options. A direct read from it misses the bytes in
    /// [`buffer`](Self::buffer).
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     assert!(request.socket().nodelay()?);
    ///     Ok(request.send_all("an option of the socket")?)
    /// });
    /// assert_eq!(converse(service, "")?, b"an option of the socket");
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "connection")]
    pub fn socket(&self) -> &S {
        // The handler may set a timeout.
        sys::socket::expect_timeouts();
        &self.connection().socket
    }

    /// The bytes that were received from the client and that the handler has not read yet.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let first = request.readline(100)?;
    ///     let answer = [&first, request.buffer()].concat(); // nothing waits here
    ///     Ok(request.send_all(answer)?)
    /// });
    /// assert_eq!(converse(service, "one\ntwo\n")?, b"one\ntwo\n");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn buffer(&self) -> &[u8] {
        self.reader.buffer.unread()
    }

    /// Returns the two halves, for a handler that reads and writes at the same time: on two threads (see
    /// [`std::thread::scope`]), or in a loop over `reader.lines()` that writes to the other half. Lines
    /// have no length limit then.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let (reader, writer) = request.split();
    ///     for line in reader.lines() {
    ///         writeln!(writer, "{}", line?.to_uppercase())?;
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!(converse(service, "a\nb\n")?, b"A\nB\n");
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "rfile")]
    #[doc(alias = "wfile")]
    pub fn split(&mut self) -> (&mut StreamReader<S>, &mut StreamWriter<S>) {
        (&mut self.reader, &mut self.writer)
    }

    /// Prepares a connection of a server behind a proxy.
    #[cfg(feature = "proxy-protocol")]
    pub(crate) fn expect_proxy_header(
        &mut self,
        expected: ExpectedHeader,
        handshake_timeout: Option<Duration>,
    ) {
        let connection = &self.writer.connection;
        match expected {
            // A header before a TLS handshake fails the handshake.
            ExpectedHeader::Never if self.handshake.is_some() => {}
            ExpectedHeader::Never => connection.proxy.forbid(),
            ExpectedHeader::Within { .. } => {
                connection.proxy.expect();
                connection.state.set_in_handshake(true);
                let begin = || PendingHandshake::begin(handshake_timeout);
                self.handshake.get_or_insert_with(begin).expect(expected);
            }
        }
    }

    fn connection(&self) -> &Arc<Connection<S>> {
        &self.writer.connection
    }

    /// Sends what the socket has space for. Returns whether that is all of `message`.
    fn send_without_waiting(&self, message: &[u8]) -> bool {
        let connection = self.connection();
        let mut rest = message;
        while !rest.is_empty() {
            match connection.socket.try_send(rest) {
                Ok(0) => break,
                Ok(sent) => {
                    connection.state.count_sent(sent);
                    rest = &rest[sent..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        rest.is_empty()
    }

    /// Ends the stream for the client. Then discards its unread input, because closing with unread input
    /// resets the connection.
    fn shut_down(&self, is_complete: bool) {
        self.connection()
            .end_output(is_complete && self.handshake.is_none());
        if !self.reader.ended {
            self.connection().socket.before_close();
        }
    }
}

impl<S: StreamSocket> Request for StreamRequest<S> {
    type Address = S::Address;

    fn client_address(&self) -> &S::Address {
        self.connection().client_address()
    }

    fn local_address(&self) -> io::Result<S::Address> {
        self.connection().socket.local_address()
    }

    fn server(&self) -> &ServerHandle {
        &self.connection().state.server
    }

    fn sender(&self) -> Sender {
        let connection: Weak<Connection<S>> = Arc::downgrade(self.connection());
        Sender::stream(connection)
    }

    fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> io::Result<()> {
        let connection = self.connection();
        match &connection.timeouts {
            Some(timeouts) => timeouts.set_timeout(timeout.into(), &*connection.socket),
            None => connection.socket.set_timeout(timeout.into()),
        }
    }

    fn close(&mut self) {
        self.connection().shutdown();
    }

    fn wait_for_message(&mut self) -> io::Result<bool> {
        self.reader.wait_for_message()
    }

    fn is_client_gone(&self) -> bool {
        // A stop that has ended the reads looks like the end of the client's side.
        let descriptor = self.descriptor();
        let is_gone = if self.connection().state.reads_are_ended() {
            poll::is_broken
        } else {
            poll::is_hung_up
        };
        descriptor.is_some_and(is_gone)
    }
}

impl<S: StreamSocket> RequestLifecycle for StreamRequest<S> {
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.connection().socket.descriptor()
    }

    fn needs_handshake(&self) -> bool {
        self.handshake.is_some()
    }

    fn advance_handshake(&mut self) -> io::Result<HandshakeStep> {
        let connection = &self.writer.connection;
        let Some(handshake) = &mut self.handshake else {
            return Ok(HandshakeStep::Done);
        };
        let step = handshake.advance(connection)?;
        if step == HandshakeStep::Done {
            #[cfg(feature = "proxy-protocol")]
            self.reader.unread(handshake.take_start())?;
            if let Some(timeouts) = &connection.timeouts {
                timeouts.record_handshake();
            }
            self.handshake = None;
        }
        Ok(step)
    }

    #[cfg(feature = "proxy-protocol")]
    fn awaits_client_address(&self) -> bool {
        self.connection().proxy.is_expected()
    }

    #[cfg(feature = "proxy-protocol")]
    fn take_awaited_address(&self) -> Option<IpAddr> {
        let connection = self.connection();
        connection.proxy.take_address(&connection.peer_address)
    }

    #[cfg(feature = "proxy-protocol")]
    fn forbidden_header(&self) -> Option<io::Error> {
        self.connection().proxy.violation()
    }

    fn next_handshake_check(&self) -> Option<Instant> {
        self.handshake.as_ref()?.next_check(self.connection())
    }

    fn complete_handshake(&mut self) -> io::Result<()> {
        loop {
            let step = self.advance_handshake()?;
            match &self.handshake {
                None => return Ok(()),
                Some(handshake) => handshake.wait(self.connection(), step)?,
            }
        }
    }

    fn connection_state(&self) -> Option<&ConnectionState> {
        Some(&self.connection().state)
    }

    fn complete_info(&self, info: ConnectionInfo) -> ConnectionInfo {
        let info = info.with_peer(self.descriptor());
        #[cfg(feature = "tls")]
        let info = info.with_tls(self.connection().socket.tls_info());
        #[cfg(feature = "proxy-protocol")]
        let info = info.with_proxy(self.connection().proxy.info());
        info
    }

    fn set_listener(&mut self, number: usize) {
        self.listener = number;
    }

    fn listener(&self) -> usize {
        self.listener
    }

    fn shutdown_request(&mut self, is_complete: bool) {
        self.shut_down(is_complete);
        let linger = self
            .connection()
            .timeouts
            .as_ref()
            .and_then(ConnectionTimeouts::linger);
        let is_ended = self.reader.ended || self.handshake.is_some();
        if let (false, Some(time)) = (is_ended, linger) {
            self.connection().linger(time);
        }
    }

    fn reject(&mut self, rejection: &Rejection) {
        let mut is_complete = true;
        match rejection {
            Rejection::Message(message) => is_complete = self.send_without_waiting(message),
            Rejection::Close => {}
            Rejection::Reset => {
                // Fails if the client is gone. Without a descriptor, the connection is closed without a reset.
                let _ = self.descriptor().map(sys::socket::reset_on_close);
                return;
            }
        }
        self.shut_down(is_complete);
    }
}

impl<S: StreamSocket> Read for StreamRequest<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(buffer)
    }
}

impl<S: StreamSocket> BufRead for StreamRequest<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl<S: StreamSocket> Write for StreamRequest<S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.writer.write(data)
    }

    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.writer.write_fmt(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl<S: StreamSocket> fmt::Debug for StreamRequest<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRequest")
            .field("client_address", self.client_address())
            .finish_non_exhaustive()
    }
}
