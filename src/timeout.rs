//! Timeouts of requests: their configuration, and the errors when they expire.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Kind of timeout of a request, as found in the error of a read or write.
///
/// ```
/// use socketserver::{TimeoutKind, prelude::*};
/// use std::time::Duration;
///
/// // An idle client receives a last message. The request then counts as completed, not as failed.
/// let service = handler_fn(|request: &mut TcpRequest| {
///     loop {
///         match request.next_line(1000) {
///             Ok(Some(line)) => request.send_all(&line)?,
///             Ok(None) => return Ok(()),
///             Err(error) if TimeoutKind::of(&error) == Some(TimeoutKind::Idle) => {
///                 return Ok(request.send_all("good bye\n")?);
///             }
///             Err(error) => return Err(error.into()),
///         }
///     }
/// });
/// let server = ThreadingTcpServer::options()
///     .idle_timeout(Duration::from_millis(20))
///     .bind("127.0.0.1:0", service)?
///     .spawn()?;
/// # let mut client = std::net::TcpStream::connect(server.server_address())?;
/// # client.write_all(b"hello\n")?;
/// # assert_eq!(std::io::read_to_string(client)?, "hello\ngood bye\n");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// A read received no data in time:
    /// [`read_timeout`](crate::ServerOptions::read_timeout).
    Read,
    /// The client did not accept the data of a write in time:
    /// [`write_timeout`](crate::ServerOptions::write_timeout).
    Write,
    /// The client sent no data after it had connected, or after its handshake:
    /// [`first_byte_timeout`](crate::ServerOptions::first_byte_timeout).
    FirstByte,
    /// The client sent no further data after a reply:
    /// [`idle_timeout`](crate::ServerOptions::idle_timeout).
    Idle,
    /// The whole request did not end in time:
    /// [`request_timeout`](crate::ServerOptions::request_timeout). Every further write fails at once,
    /// too. After the other timeouts, the handler can still send data.
    Request,
}

impl TimeoutKind {
    pub(crate) const COUNT: usize = 5;

    /// Returns which timeout of a request caused `error`. `None` for every other error, including
    /// [`TimedOut`](io::ErrorKind::TimedOut) errors of other sockets.
    ///
    /// ```
    /// use socketserver::{TimeoutKind, prelude::*, testing::TestServer};
    /// use std::time::Duration;
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let error = request.recv(100).unwrap_err(); // the client sends nothing
    ///     let kind = TimeoutKind::of(&error);
    ///     Ok(write!(request, "{kind:?}")?)
    /// });
    /// let server = TcpServer::options().read_timeout(Duration::from_millis(10));
    /// let server = TestServer::start(server.bind("127.0.0.1:0", service)?);
    /// assert_eq!(server.client().rest()?, b"Some(Read)");
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "TimeoutError")]
    pub fn of(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?.downcast_ref::<TimedOut>()?;
        Some(inner.kind)
    }
}

impl fmt::Display for TimeoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::FirstByte => "first byte",
            Self::Idle => "idle",
            Self::Request => "request",
        })
    }
}

/// Expired timeout of a request: the inner error of an `io::Error`.
#[derive(Debug)]
pub(crate) struct TimedOut {
    kind: TimeoutKind,
    /// Length of the timeout, if known.
    time: Option<Duration>,
}

impl TimedOut {
    pub(crate) fn error(kind: TimeoutKind, time: Option<Duration>) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, Self { kind, time })
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event, options) = match self.kind {
            TimeoutKind::Read => (
                "a read found nothing from the client",
                "the server's `read_timeout` or `timeout`, or the request's `set_timeout`",
            ),
            TimeoutKind::Write => (
                "the client did not take all of a write",
                "the server's `write_timeout` or `timeout`, or the request's `set_timeout`",
            ),
            TimeoutKind::FirstByte => (
                "the client sent nothing after it had connected",
                "the server's `first_byte_timeout`",
            ),
            TimeoutKind::Idle => (
                "the client sent nothing more after a reply",
                "the server's `idle_timeout`",
            ),
            TimeoutKind::Request => (
                "the request was not finished",
                "the server's `request_timeout`",
            ),
        };
        write!(f, "timed out: {event} ")?;
        match self.time {
            Some(time) => write!(f, "within {time:?} ({options})"),
            None => write!(f, "in time ({options})"),
        }
    }
}

impl Error for TimedOut {}

/// Timeouts of a server's connections: a part of
/// [`SocketOptions`](crate::transport::SocketOptions). `None` means no limit, and is the default of each but
/// `handshake`.
///
/// Programs set them through [`ServerOptions`](crate::ServerOptions), whose methods document each
/// timeout. A custom transport passes them on to
/// [`StreamRequest::with_timeouts`](crate::StreamRequest::with_timeouts).
///
/// > **Coming from Python.** `StreamRequestHandler.timeout`, `None` by default, corresponds to `read`
/// > and `write`. The other timeouts have no counterpart.
///
/// See the [example](Self::check).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeoutConfig {
    /// Maximum time that each read waits.
    pub read: Option<Duration>,
    /// Maximum time of each write.
    pub write: Option<Duration>,
    /// Maximum time from accept, or from the end of the handshake, to the client's first byte. `None` uses `read`.
    pub first_byte: Option<Duration>,
    /// Maximum time that a read waits after a reply. `None` uses `read`.
    pub idle: Option<Duration>,
    /// Maximum time of the whole request, from accept.
    pub request: Option<Duration>,
    /// Maximum time that the server waits, after the request, for the client to close its side.
    /// `None` does not wait.
    pub linger: Option<Duration>,
    /// Maximum time of the handshake, from accept. Default: 10 seconds.
    pub handshake: Option<Duration>,
}

impl Default for TimeoutConfig {
    fn default() -> Self {
        Self {
            read: None,
            write: None,
            first_byte: None,
            idle: None,
            request: None,
            linger: None,
            handshake: Some(Self::DEFAULT_HANDSHAKE),
        }
    }
}

impl TimeoutConfig {
    /// Default of `handshake`.
    ///
    /// See the [example](Self::check).
    pub const DEFAULT_HANDSHAKE: Duration = Duration::from_secs(10);

    /// Rejects timeouts of zero. (`linger` may be zero.)
    ///
    /// ```
    /// use socketserver::transport::TimeoutConfig;
    /// use std::time::Duration;
    ///
    /// let mut timeouts = TimeoutConfig::default();
    /// assert!(timeouts.check().is_ok());
    /// assert_eq!(timeouts.handshake, Some(TimeoutConfig::DEFAULT_HANDSHAKE));
    /// timeouts.read = Some(Duration::ZERO);
    /// assert!(timeouts.check().is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` with a message that names the timeout.
    pub fn check(&self) -> io::Result<()> {
        let timeouts = [
            ("`timeout` or `read_timeout`", self.read),
            ("`timeout` or `write_timeout`", self.write),
            ("`first_byte_timeout`", self.first_byte),
            ("`idle_timeout`", self.idle),
            ("`request_timeout`", self.request),
            ("`handshake_timeout`", self.handshake),
        ];
        match timeouts
            .iter()
            .find(|(_, time)| *time == Some(Duration::ZERO))
        {
            None => Ok(()),
            Some((name, _)) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a {name} of zero would never let a read or write wait: use None for no limit"
                ),
            )),
        }
    }

    /// Returns the values for a new socket's own receive and send timeouts: the shortest timeout that
    /// can apply, or a quarter of `request` if that is shorter. With a quarter, the socket option needs
    /// no change during the first half of the request's time, and few requests last longer.
    pub(crate) fn socket_timeouts(&self) -> (Option<Duration>, Option<Duration>) {
        let request = self.request.map(|time| time / 4);
        let receiving = [self.read, self.first_byte, self.idle, request];
        let sending = [self.write, request];
        (
            receiving.into_iter().flatten().min(),
            sending.into_iter().flatten().min(),
        )
    }

    /// Returns whether no timeout of reads and writes is set.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { handshake, .. } = *self;
        *self
            == Self {
                handshake,
                ..Self::default()
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_states_the_event_the_length_and_the_option() {
        let second = Some(Duration::from_millis(1500));
        for (kind, option) in [
            (TimeoutKind::Read, "`read_timeout`"),
            (TimeoutKind::Write, "`write_timeout`"),
            (TimeoutKind::FirstByte, "`first_byte_timeout`"),
            (TimeoutKind::Idle, "`idle_timeout`"),
            (TimeoutKind::Request, "`request_timeout`"),
        ] {
            let error = TimedOut::error(kind, second);
            let text = error.to_string();
            assert!(
                text.contains("within 1.5s (") && text.contains(option),
                "{text}"
            );
            assert_eq!(TimeoutKind::of(&error), Some(kind));
        }
        assert_eq!(TimeoutKind::of(&io::ErrorKind::TimedOut.into()), None);
    }

    #[test]
    fn the_error_about_a_timeout_of_zero_names_the_option() {
        let mut timeouts = TimeoutConfig::default();
        timeouts.check().unwrap();
        assert!(timeouts.is_empty());
        timeouts.read = Some(Duration::from_secs(1));
        timeouts.idle = Some(Duration::ZERO);
        let error = timeouts.check().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("idle_timeout"), "{error}");
    }
}
