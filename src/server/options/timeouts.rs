//! The timeouts of connections.

#[cfg(doc)]
use std::io;
use std::time::Duration;

use crate::server::ServerOptions;
use crate::transport::Stream;

/// # Timeouts
impl<T, S, M> ServerOptions<T, S, M> {
    /// Sets how long each read and each write of a request may wait for the client. `None`, the default
    /// (as in Python), and [`Duration::MAX`] mean without limit. Zero is an error when binding. Python: `timeout` of
    /// `StreamRequestHandler`.
    ///
    /// The timeout applies to each operation: a client that sends a byte now and then stays within it.
    /// [`request_timeout`](Self::request_timeout) limits the request as a whole. A write has the timeout
    /// for all of its data, like `sendall` in Python. The timeout is set when the connection is accepted,
    /// so handlers do not set it; [`Request::set_timeout`] changes it for one request. Datagram requests
    /// never wait to be read; for them it limits how long sending may wait, which happens only with Unix
    /// sockets.
    ///
    /// For connections it sets [`read_timeout`](Self::read_timeout) and
    /// [`write_timeout`](Self::write_timeout); the last of these calls applies.
    ///
    /// See the [example](Self::request_timeout).
    ///
    /// [`Request::set_timeout`]: crate::Request::set_timeout
    #[doc(alias = "settimeout")]
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let timeout = timeout.into();
        self.socket.timeouts.read = timeout;
        self.socket.timeouts.write = timeout;
        self
    }

    /// Sets how long each read of a request may wait for the client. `None`, the default (as in Python),
    /// and [`Duration::MAX`] mean without limit. Zero is an error when binding. Python has one `timeout` for
    /// reads and writes, like [`timeout`](Self::timeout) here.
    ///
    /// A client that sends a byte now and then stays within it;
    /// [`request_timeout`](Self::request_timeout) limits such clients. A read that times out fails with
    /// an error of kind [`TimedOut`](io::ErrorKind::TimedOut), for which
    /// [`TimeoutKind::of`](crate::TimeoutKind::of) returns [`Read`](crate::TimeoutKind::Read). The handler
    /// may continue with the connection.
    ///
    /// See the [example](Self::request_timeout).
    #[doc(alias = "settimeout")]
    #[doc(alias = "SO_RCVTIMEO")]
    pub fn read_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.read = timeout.into();
        self
    }

    /// Sets how long each write to a client may take, for all of its data. `None`, the default (as in
    /// Python), and [`Duration::MAX`] mean without limit. Zero is an error when binding. The error is of kind
    /// [`Write`](crate::TimeoutKind::Write). Python has one `timeout` for reads and writes.
    ///
    /// It applies to writes of the handler and of [`Sender`](crate::Sender)s. A write that waits for
    /// another write to the same client may wait for this time in addition.
    ///
    /// A chat server needs it: clients may be silent for any time, but a client that does not read must
    /// not delay the senders.
    ///
    /// See the [example](Self::request_timeout).
    #[doc(alias = "settimeout")]
    #[doc(alias = "SO_SNDTIMEO")]
    pub fn write_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.write = timeout.into();
        self
    }

    /// Sets how long a client may take to send its first byte after it was accepted, or after its
    /// [handshake](Self::handshake_timeout): against clients that connect and send nothing. `None`, the default: [`read_timeout`](Self::read_timeout) applies
    /// to the first read too. [`Duration::MAX`]: without limit. Zero is an error when binding. The error is of kind
    /// [`FirstByte`](crate::TimeoutKind::FirstByte). Nothing in Python.
    ///
    /// The timeout takes effect in the handler's first read. Bytes that have arrived while the request
    /// waited for a thread are in time.
    ///
    /// See the [example](Self::request_timeout).
    pub fn first_byte_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.first_byte = timeout.into();
        self
    }

    /// Sets how long a client may take to send its next request: the timeout of a read that starts after
    /// the client was answered, that is after something was written to it since its last byte was
    /// received. `None`, the default: [`read_timeout`](Self::read_timeout) applies. [`Duration::MAX`]:
    /// without limit. Zero is an error when binding. The error is of kind [`Idle`](crate::TimeoutKind::Idle); the
    /// handler may still write a last message. Nothing in Python.
    ///
    /// For protocols of requests and answers whose clients stay connected: it can be long where the
    /// timeout in the middle of a request is short, or the other way round. A greeting before the
    /// client's first byte does not count as an answer. Writes of [`Sender`](crate::Sender)s do.
    ///
    /// See the [example](Self::request_timeout).
    #[doc(alias = "keepalive")]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.idle = timeout.into();
        self
    }

    /// Sets how long a whole request may take, from accept to the last read or write of its handler. It
    /// also ends the request of a client that sends, or reads, a byte at a time. `None`, the default,
    /// and [`Duration::MAX`] mean without limit. Zero is an error when binding. Nothing in Python.
    ///
    /// The read or write during which it expires fails with an error of kind
    /// [`Request`](crate::TimeoutKind::Request). Every later one fails at once, except reads of bytes
    /// that were received before. [`Request::set_timeout`] does not change it. It does not end a handler
    /// that neither reads nor writes. Its cost is one look at the clock for each read and write of the
    /// socket.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// use std::time::Duration;
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::options()
    ///     .timeout(Duration::from_secs(30)) // `read_timeout` and `write_timeout`
    ///     .read_timeout(Duration::from_secs(20))
    ///     .write_timeout(Duration::from_secs(40))
    ///     .first_byte_timeout(Duration::from_secs(5))
    ///     .idle_timeout(Duration::from_secs(600))
    ///     .request_timeout(Duration::from_secs(3600))
    ///     .linger(Duration::from_secs(1))
    ///     .bind("127.0.0.1:0", service)?
    ///     .spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// [`Request::set_timeout`]: crate::Request::set_timeout
    #[doc(alias = "asyncio.timeout")]
    pub fn request_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.request = timeout.into();
        self
    }

    /// Sets how long the handshake may take, from accept: the header of a proxy and the TLS handshake. Default:
    /// 10 seconds. `None` and [`Duration::MAX`] mean without limit. Zero is an error when binding. Has no effect
    /// on connections without a handshake. Python has no such limit: a TLS client that says nothing holds up its
    /// whole server.
    ///
    /// A handshake that takes longer ends the connection, and counts in
    /// [`handshake_errors`](crate::Stats::handshake_errors).
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// use std::time::Duration;
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let options = TcpServer::options().handshake_timeout(Duration::from_secs(5));
    /// let server = options.bind("127.0.0.1:0", service)?;
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "do_handshake_on_connect")]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.handshake = timeout.into();
        self
    }

    /// Sets how long the server waits, after the handler has returned, for the client to end its side of
    /// the connection. Bytes that the client sends meanwhile are discarded. `None`, the default, and zero:
    /// it does not wait, as in Python.
    ///
    /// If a connection is closed while the client still sends, it is reset, and the client may lose the
    /// answer: over TCP the end of a long answer, or all of it if the client has not begun to read. Bytes
    /// that had arrived before the close do no harm, because up to 1 MiB of them is discarded in any
    /// case. So this option is for protocols in which a server answers before it has read everything, for
    /// example "too long" while the client is still sending.
    ///
    /// A request that lingers occupies its thread, also if the client only stays connected. A stop ends
    /// the wait after the grace period. Rejected clients are not waited for.
    ///
    /// See the [example](Self::request_timeout).
    #[doc(alias = "lingering_close")]
    #[doc(alias = "SO_LINGER")]
    pub fn linger(mut self, time: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.linger = time.into();
        self
    }
}
