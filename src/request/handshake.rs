//! The handshake of a connection, before its first message.

use std::io;
use std::time::{Duration, Instant};

use crate::coroutine::stream_io;
use crate::handshake_error;
use crate::request::connection::Connection;
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
    /// Whether the client has sent something.
    has_input: bool,
}

impl PendingHandshake {
    /// Begins the handshake of a connection that is being accepted.
    pub(super) fn begin(timeout: Option<Duration>) -> Box<Self> {
        Box::new(Self {
            accepted: Instant::now(),
            timeout,
            has_input: false,
        })
    }

    /// Time when the handshake has to be looked at again, whatever the client does.
    pub(super) fn next_check<S: StreamSocket>(
        &self,
        connection: &Connection<S>,
    ) -> Option<Instant> {
        if !self.has_input && connection.state.server.0.life_cycle.is_draining() {
            return Some(self.accepted + TIME_TO_BEGIN);
        }
        self.deadline()
    }

    fn deadline(&self) -> Option<Instant> {
        self.accepted.checked_add(self.timeout?)
    }

    /// Advances the handshake without waiting.
    pub(super) fn advance<S: StreamSocket>(
        &mut self,
        connection: &Connection<S>,
    ) -> io::Result<HandshakeStep> {
        if !self.has_input {
            self.has_input = connection.socket.wait_readable(Some(Duration::ZERO))?;
        }
        let is_draining = || connection.state.server.0.life_cycle.is_draining();
        if !self.has_input && self.accepted.elapsed() >= TIME_TO_BEGIN && is_draining() {
            connection.state.while_idle(|| connection.end_idle());
            return Err(handshake_error::disconnected());
        }
        let step = connection.socket.handshake()?;
        let is_late = || {
            self.deadline()
                .is_some_and(|deadline| deadline <= Instant::now())
        };
        if step != HandshakeStep::Done && is_late() {
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
        let waited = if self.has_input {
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
