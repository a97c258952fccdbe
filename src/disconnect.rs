//! Disconnects: errors of a request that mean that its client, or the way to it, is gone.

use std::error::Error;
use std::fmt;
use std::io;

/// Way in which a request has lost its client, as found in the error of a read or write.
///
/// A disconnect is an event, not a fault of the handler. If the handler returns the error, the default
/// [`handle_error`](crate::Service::handle_error) does not report it, and the request counts as
/// [`disconnected`](crate::Stats::disconnected) instead of `failed`.
///
/// | kind | connections | replies to datagrams |
/// | --- | --- | --- |
/// | `Closed` | the end of the stream inside a message; `EPIPE`, `ESHUTDOWN` | `ECONNREFUSED`, `EPIPE`, `ESHUTDOWN`; Unix sockets: `ENOENT`, `EPROTOTYPE` |
/// | `Reset` | `ECONNRESET`, `ECONNABORTED`, `ENETRESET`; macOS: `EPROTOTYPE` | `ECONNRESET`, `ENETRESET` |
/// | `TimedOut` | `ETIMEDOUT` | |
/// | `Unreachable` | `EHOSTUNREACH`, `ENETUNREACH`, `EHOSTDOWN`, `ENETDOWN`, `ENONET`; other messages of routers: `ECONNREFUSED`, `ENOPROTOOPT`, `EPROTO`, `EOPNOTSUPP`, `EACCES` | `EHOSTUNREACH`, `ENETUNREACH`, `EHOSTDOWN`, `ENETDOWN`, `ENONET` |
/// | `ServerStopping` | [`ShuttingDown`] | |
///
/// A custom [`StreamSocket`](crate::request::StreamSocket) can also return errors without a number: the
/// kinds `BrokenPipe` and `UnexpectedEof` are `Closed`, `ConnectionReset` and `ConnectionAborted` are
/// `Reset`, `HostUnreachable`, `NetworkUnreachable` and `NetworkDown` are `Unreachable`.
///
/// Every other error is none, for example an expired [timeout](crate::TimeoutKind), a reply that is too
/// long (`EMSGSIZE`), a firewall that forbids a reply (`EPERM`), and any error of another socket or of a
/// file.
///
/// ```
/// use socketserver::{DisconnectKind, prelude::*};
///
/// // A client that resets the connection while it downloads has what it wanted.
/// let service = handler_fn(|request: &mut TcpRequest| {
///     match request.send_all(vec![b'.'; 1 << 24]) {
///         Err(error) if DisconnectKind::of(&error).is_some() => Ok(()),
///         sent => Ok(sent?),
///     }
/// });
/// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
/// drop(std::net::TcpStream::connect(server.server_address())?);
/// # while server.stats().completed == 0 {
/// #     std::thread::yield_now();
/// # }
/// # Ok::<(), BoxError>(())
/// ```
///
/// > **Coming from Python.** `ConnectionError` and its subclasses, and the `OSError`s of the other numbers.
/// > Python's `handle_error` prints a traceback for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "ConnectionError")]
#[doc(alias = "BrokenPipeError")]
#[doc(alias = "ConnectionResetError")]
#[doc(alias = "ConnectionAbortedError")]
pub enum DisconnectKind {
    /// The client has closed the connection, or its socket for datagrams.
    Closed,
    /// The client, or the system on its behalf, has reset the connection.
    Reset,
    /// The client has not acknowledged data or keep-alive probes in time (`SO_KEEPALIVE`,
    /// `TCP_USER_TIMEOUT`, the limit of retransmissions).
    TimedOut,
    /// The network cannot deliver packets to the client.
    Unreachable,
    /// The server has force-closed the connection because it is stopping ([`ShuttingDown`]).
    ServerStopping,
}

impl DisconnectKind {
    /// Returns how the client of `error` was lost. `error` is the error of a request's read or write, or of
    /// a [`Sender`](crate::Sender). `None` for every other error, including errors of other sockets.
    ///
    /// ```
    /// use socketserver::{DisconnectKind, prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let error = request.read_exactly(10).unwrap_err(); // the client sends five
    ///     let kind = DisconnectKind::of(&error);
    ///     Ok(request.send_all(format!("{kind:?}"))?)
    /// });
    /// assert_eq!(converse(service, "hello")?, b"Some(Closed)");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn of(error: &io::Error) -> Option<Self> {
        if ShuttingDown::is_cause_of(error) {
            return Some(Self::ServerStopping);
        }
        ClientGone::cause_of(error).map(|gone| gone.kind)
    }

    /// Like [`of`](Self::of), without errors of other connections than `own`, because a handler may send to
    /// other clients.
    pub(crate) fn of_own_client(error: &io::Error, own: Option<ConnectionId>) -> Option<Self> {
        match ClientGone::cause_of(error) {
            Some(gone) if gone.connection.is_some() && gone.connection != own => None,
            _ => Self::of(error),
        }
    }
}

impl fmt::Display for DisconnectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed by the client",
            Self::Reset => "reset",
            Self::TimedOut => "no acknowledgement from the client",
            Self::Unreachable => "client unreachable",
            Self::ServerStopping => "force-closed by the server",
        })
    }
}

/// Identity of a connection in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionId {
    pub(crate) server: u64,
    pub(crate) connection: u64,
}

/// Disconnect of the client: the inner error of a request's `io::Error`. Distinguishes disconnects of
/// the client from errors of files and of other connections.
#[derive(Debug)]
pub(crate) struct ClientGone {
    kind: DisconnectKind,
    /// `None`: the stream ended while the handler expected more data.
    error: Option<io::Error>,
    /// The connection, if others than its handler can send to it. Not known of a datagram.
    connection: Option<ConnectionId>,
}

impl ClientGone {
    pub(crate) fn mid_message() -> io::Error {
        let gone = Self {
            kind: DisconnectKind::Closed,
            error: None,
            connection: None,
        };
        io::Error::new(io::ErrorKind::UnexpectedEof, gone)
    }

    pub(crate) fn broken(
        kind: DisconnectKind,
        error: io::Error,
        connection: Option<ConnectionId>,
    ) -> io::Error {
        let io_kind = error.kind();
        let gone = Self {
            kind,
            error: Some(error),
            connection,
        };
        io::Error::new(io_kind, gone)
    }

    pub(crate) fn cause_of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for ClientGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            None => f.write_str("the client closed the connection in the middle of a message"),
            Some(error) => error.fmt(f),
        }
    }
}

impl Error for ClientGone {}

/// Cause of an error: the server is stopping and force-closed the connection when the grace period
/// expired.
///
/// Reads and writes of the request then return a
/// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) error with this inner error;
/// [`ShuttingDown::is_cause_of`] recognizes it.
///
/// See the [example](Self::is_cause_of).
#[derive(Debug)]
#[non_exhaustive]
pub struct ShuttingDown;

impl ShuttingDown {
    pub(crate) fn error() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionAborted, Self)
    }

    /// Returns whether `error` occurred because the server is stopping.
    ///
    /// ```
    /// use socketserver::{ShuttingDown, prelude::*};
    /// use std::{sync::mpsc, time::Duration};
    ///
    /// let (sender, errors) = mpsc::channel();
    /// let service = handler_fn(move |request: &mut TcpRequest| {
    ///     request.send_all("hi")?;
    ///     let error = request.recv(100).unwrap_err(); // the client sends nothing
    ///     Ok(sender.send(ShuttingDown::is_cause_of(&error))?)
    /// });
    /// # let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.grace_period(Duration::ZERO).spawn()?;
    /// # let mut client = std::net::TcpStream::connect(server.server_address())?;
    /// # client.read_exact(&mut [0; 2])?;
    /// server.stop()?;
    /// assert!(errors.recv()?);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl fmt::Display for ShuttingDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the server is shutting down and force-closed this connection when `grace_period` expired",
        )
    }
}

impl Error for ShuttingDown {}
