//! The handshake of a connection, before its first message.

use std::io;
use std::time::{Duration, Instant};

use crate::coroutine::stream_io;
use crate::handshake_error;
use crate::request::connection::Connection;
#[cfg(feature = "proxy-protocol")]
use crate::request::proxy_header::{ProxyHeader, ProxyHeaderReader};
use crate::request::stream_socket::{HandshakeStep, StreamSocket};
use crate::state::Activity;
use crate::state::live_connection::LiveConnection;

/// Time from accept that a client has for its first byte if the server stops meanwhile. Later, a stop ends its wait.
const TIME_TO_BEGIN: Duration = Duration::from_millis(250);

/// A handshake that is not complete.
pub(super) struct PendingHandshake {
    accepted: Instant,
    /// `None`: without limit.
    timeout: Option<Duration>,
    /// The header of a proxy, which comes first.
    #[cfg(feature = "proxy-protocol")]
    header: Option<(ProxyHeaderReader, Duration)>,
    /// Bytes of a connection that could have begun with a header, and did not.
    #[cfg(feature = "proxy-protocol")]
    start: Vec<u8>,
}

/// Whether a connection begins with the header of a proxy.
#[cfg(feature = "proxy-protocol")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum ExpectedHeader {
    /// A header is an error.
    Never,
    /// A header comes within a time from accept; without one, the connection is that of a client if it is not
    /// required.
    Within {
        timeout: Duration,
        is_required: bool,
    },
}

impl PendingHandshake {
    /// Begins the handshake of a connection that is being accepted.
    pub(super) fn begin(timeout: Option<Duration>) -> Box<Self> {
        Box::new(Self {
            accepted: Instant::now(),
            timeout,
            #[cfg(feature = "proxy-protocol")]
            header: None,
            #[cfg(feature = "proxy-protocol")]
            start: Vec::new(),
        })
    }

    /// Time when the handshake has to be looked at again, whatever the client does.
    pub(super) fn next_check<S: StreamSocket>(
        &self,
        connection: &Connection<S>,
    ) -> Option<Instant> {
        let begin = self.accepted + TIME_TO_BEGIN;
        let is_draining = connection.state.server.0.life_cycle.is_draining();
        let begin = (is_draining && begin > Instant::now()).then_some(begin);
        self.deadline().into_iter().chain(begin).min()
    }

    fn deadline(&self) -> Option<Instant> {
        let timeout = self.timeout;
        #[cfg(feature = "proxy-protocol")]
        let timeout = match (timeout, &self.header) {
            (Some(timeout), Some((_, header))) => Some(timeout.min(*header)),
            (None, Some((_, header))) => Some(*header),
            (timeout, None) => timeout,
        };
        self.accepted.checked_add(timeout?)
    }

    fn is_late(&self) -> bool {
        let deadline = self.deadline();
        deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    #[cfg(feature = "proxy-protocol")]
    pub(super) fn expect(&mut self, expected: ExpectedHeader) {
        if let ExpectedHeader::Within {
            timeout,
            is_required,
        } = expected
        {
            self.header = Some((ProxyHeaderReader::new(is_required), timeout));
        }
    }

    /// Returns the bytes that belong to the first message.
    #[cfg(feature = "proxy-protocol")]
    pub(super) fn take_start(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.start)
    }

    /// Reads the header of a proxy. Returns whether it is complete, or absent.
    #[cfg(feature = "proxy-protocol")]
    fn read_header<S: StreamSocket>(&mut self, connection: &Connection<S>) -> io::Result<bool> {
        let is_late = self.is_late();
        let Some((reader, _)) = &mut self.header else {
            return Ok(true);
        };
        let Some(descriptor) = connection.socket.descriptor() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        match reader.advance(descriptor, || connection.peer_address.clone().into())? {
            // The client of a protocol in which the server speaks first.
            ProxyHeader::Incomplete if reader.may_be_absent() && is_late => {
                if !connection.socket.needs_handshake() {
                    connection.proxy.give_up();
                }
            }
            ProxyHeader::Incomplete => return Ok(false),
            ProxyHeader::Complete(info) => connection.proxy.set(info),
            // Bytes before a handshake would reach the handler as if they had been encrypted.
            ProxyHeader::Absent(start)
                if !start.is_empty() && connection.socket.needs_handshake() =>
            {
                let message = "the connection begins with a part of the header of a proxy";
                return Err(handshake_error::proxy_header(message));
            }
            ProxyHeader::Absent(start) => self.start = start,
        }
        self.header = None;
        Ok(true)
    }

    #[cfg(not(feature = "proxy-protocol"))]
    fn read_header<S: StreamSocket>(&mut self, _: &Connection<S>) -> io::Result<bool> {
        Ok(true)
    }

    /// Returns whether the client has sent something that was received.
    fn has_begun<S: StreamSocket>(&self, connection: &Connection<S>) -> bool {
        #[cfg(feature = "proxy-protocol")]
        if let Some((reader, _)) = &self.header {
            return reader.has_begun();
        }
        connection.socket.has_pending_input()
    }

    /// Returns whether the client has sent nothing.
    fn is_silent<S: StreamSocket>(&self, connection: &Connection<S>) -> io::Result<bool> {
        Ok(
            !self.has_begun(connection)
                && !connection.socket.wait_readable(Some(Duration::ZERO))?,
        )
    }

    /// Advances the handshake without waiting.
    pub(super) fn advance<S: StreamSocket>(
        &mut self,
        connection: &Connection<S>,
    ) -> io::Result<HandshakeStep> {
        let is_draining = connection.state.server.0.life_cycle.is_draining();
        if is_draining && self.accepted.elapsed() >= TIME_TO_BEGIN && self.is_silent(connection)? {
            connection.state.while_idle(|| connection.end_idle());
            // The reads go on if input has arrived meanwhile that a shutdown would discard.
            if connection.state.reads_are_ended() {
                return Err(handshake_error::disconnected());
            }
        }
        let step = match self.read_header(connection)? {
            true => connection.socket.handshake()?,
            false => HandshakeStep::WantRead,
        };
        if step != HandshakeStep::Done && self.is_late() {
            return Err(handshake_error::timed_out());
        }
        Ok(step)
    }

    /// Waits until the client allows the next step, or until the next check is due.
    pub(super) fn wait<S: StreamSocket>(
        &self,
        connection: &Connection<S>,
        step: HandshakeStep,
    ) -> io::Result<()> {
        let now = Instant::now();
        let remaining = |end: Instant| end.saturating_duration_since(now);
        let timeout = self.deadline().map(remaining);
        let wait = |timeout| {
            connection
                .state
                .during(Activity::Handshaking, || match step {
                    HandshakeStep::Done => Ok(true),
                    HandshakeStep::WantRead => connection.socket.wait_readable(timeout),
                    HandshakeStep::WantWrite => connection.socket.wait_writable(timeout),
                })
        };
        let begin = self.accepted + TIME_TO_BEGIN;
        let waited = if self.has_begun(connection) {
            wait(timeout)
        } else if begin > now {
            let time_to_begin = remaining(begin);
            wait(Some(
                timeout.map_or(time_to_begin, |timeout| timeout.min(time_to_begin)),
            ))
        } else {
            connection.state.while_idle(|| {
                // A stop that was requested before may not have seen that the connection is idle.
                if connection.state.server.0.life_cycle.is_draining() {
                    connection.end_idle();
                }
                wait(timeout)
            })
        };
        match waited {
            // The next step finds out whether the time is over.
            Err(error) if stream_io::is_timeout(&error) => Ok(()),
            waited => waited.map(drop),
        }
    }
}
