//! Which time a read or write of a request ran out of.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Which of its times a request ran out of.
///
/// ```
/// use socketserver::{TimeoutKind, prelude::*};
/// use std::time::Duration;
///
/// // Who has nothing more to ask is sent away with a word, and that is no failure.
/// let polite = handler_fn(|request: &mut TcpRequest| {
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
///     .bind("127.0.0.1:0", polite)?
///     .spawn()?;
/// # let mut client = std::net::TcpStream::connect(server.server_address())?;
/// # client.write_all(b"hello\n")?;
/// # assert_eq!(std::io::read_to_string(client)?, "hello\ngood bye\n");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// A read, in the middle of a conversation:
    /// [`read_timeout`](crate::ServerOptions::read_timeout).
    Read,
    /// A write: the client does not read. [`write_timeout`](crate::ServerOptions::write_timeout).
    Write,
    /// The first read of a connection: the client has never sent anything.
    /// [`first_byte_timeout`](crate::ServerOptions::first_byte_timeout).
    FirstByte,
    /// A read after an answer: the client has nothing more to ask.
    /// [`idle_timeout`](crate::ServerOptions::idle_timeout).
    Idle,
    /// The request as a whole: [`request_timeout`](crate::ServerOptions::request_timeout). The only one after
    /// which nothing can be said any more: every write fails at once, too.
    Request,
}

impl TimeoutKind {
    pub(crate) const COUNT: usize = 5;

    /// Which time of a request was over, if that is what `error`, from a read or a write of it, says.
    /// `None` for every other error, also of kind [`TimedOut`](io::ErrorKind::TimedOut).
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

/// A time was over: inside the errors of a request that say so.
#[derive(Debug)]
pub(crate) struct TimedOut {
    kind: TimeoutKind,
    /// How long it was, if that is known.
    time: Option<Duration>,
}

impl TimedOut {
    pub(crate) fn error(kind: TimeoutKind, time: Option<Duration>) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, Self { kind, time })
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, options) = match self.kind {
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
                "the client asked nothing more after it was answered",
                "the server's `idle_timeout`",
            ),
            TimeoutKind::Request => (
                "the request as a whole was not over",
                "the server's `request_timeout`",
            ),
        };
        write!(f, "timed out: {what} ")?;
        match self.time {
            Some(time) => write!(f, "within {time:?} ({options})"),
            None => write!(f, "in time ({options})"),
        }
    }
}

impl Error for TimedOut {}

/// The times that the connections of a server have: a part of
/// [`SocketOptions`](crate::transport::SocketOptions).
///
/// Programs set them through [`ServerOptions`](crate::ServerOptions), whose methods say what each
/// means. A transport of your own passes them on to
/// [`StreamRequest::with_timeouts`](crate::StreamRequest::with_timeouts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeoutConfig {
    /// How long each read may wait.
    pub read: Option<Duration>,
    /// How long each write may take.
    pub write: Option<Duration>,
    /// How long the client may take, from accept to its first byte. If not set, `read` counts.
    pub first_byte: Option<Duration>,
    /// How long a read may wait that begins after an answer. If not set, `read` counts.
    pub idle: Option<Duration>,
    /// How long the whole request may take, from accept.
    pub request: Option<Duration>,
    /// How long to wait, after the request, for the client to end its side.
    pub linger: Option<Duration>,
}

impl TimeoutConfig {
    /// Refuses times of zero.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, and which it is.
    pub fn check(&self) -> io::Result<()> {
        let times = [
            ("`timeout` or `read_timeout`", self.read),
            ("`timeout` or `write_timeout`", self.write),
            ("`first_byte_timeout`", self.first_byte),
            ("`idle_timeout`", self.idle),
            ("`request_timeout`", self.request),
        ];
        match times.iter().find(|(_, time)| *time == Some(Duration::ZERO)) {
            None => Ok(()),
            Some((name, _)) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a {name} of zero would never let a read or write wait: use None for no limit"
                ),
            )),
        }
    }

    /// What a socket's own times for receiving and sending are set to: the shortest that may count, and a
    /// part of that of the whole request, so that few requests last until it has to be set again.
    pub(crate) fn socket_timeouts(&self) -> (Option<Duration>, Option<Duration>) {
        let request = self.request.map(|time| time / 4);
        let receiving = [self.read, self.first_byte, self.idle, request];
        let sending = [self.write, request];
        (
            receiving.into_iter().flatten().min(),
            sending.into_iter().flatten().min(),
        )
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_was_over_how_long_it_was_and_who_sets_it() {
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
    fn a_time_of_zero_is_refused_by_its_name() {
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
