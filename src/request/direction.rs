//! The two directions of a connection, and a timeout for each.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::request::stream_socket::StreamSocket;
use crate::sys::poll::Direction;
use crate::timeout::{TimedOut, TimeoutKind};

/// A timeout for receiving and a timeout for sending. Several threads can read and change them.
#[derive(Default)]
pub(super) struct DirectionTimeouts {
    receive: AtomicTimeout,
    send: AtomicTimeout,
}

impl DirectionTimeouts {
    pub(super) fn new(receive: Option<Duration>, send: Option<Duration>) -> Self {
        let timeouts = Self::default();
        timeouts.set(Direction::Receive, receive);
        timeouts.set(Direction::Send, send);
        timeouts
    }

    #[inline]
    pub(super) fn get(&self, direction: Direction) -> Option<Duration> {
        self.of(direction).get()
    }

    pub(super) fn set(&self, direction: Direction, timeout: Option<Duration>) {
        self.of(direction).set(timeout);
    }

    #[inline]
    fn of(&self, direction: Direction) -> &AtomicTimeout {
        match direction {
            Direction::Receive => &self.receive,
            Direction::Send => &self.send,
        }
    }
}

/// A timeout in microseconds; 0 is `None`.
#[derive(Default)]
struct AtomicTimeout(AtomicU64);

impl AtomicTimeout {
    #[inline]
    fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// Rounds down to microseconds, but a timeout below one microsecond up to it.
    fn set(&self, timeout: Option<Duration>) {
        let micros = |timeout: Duration| u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
        let micros = timeout.map_or(0, |timeout| micros(timeout).max(1));
        self.0.store(micros, Ordering::Relaxed);
    }
}

/// The timeout that a socket itself has for a direction, if the socket reports it.
pub(super) fn socket_timeout(direction: Direction, socket: &impl StreamSocket) -> Option<Duration> {
    match direction {
        Direction::Receive => socket.read_timeout(),
        Direction::Send => socket.write_timeout(),
    }
}

/// Waits until a read or a write may make progress. Returns `false` if `timeout` expires first.
pub(super) fn wait_ready(
    direction: Direction,
    socket: &impl StreamSocket,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    match direction {
        Direction::Receive => socket.wait_readable(timeout),
        Direction::Send => socket.wait_writable(timeout),
    }
}

/// The timeout error of a connection whose only timeouts are those of its socket.
#[cold]
pub(super) fn timed_out(direction: Direction, socket: &impl StreamSocket) -> io::Error {
    let kind = match direction {
        Direction::Receive => TimeoutKind::Read,
        Direction::Send => TimeoutKind::Write,
    };
    TimedOut::error(kind, socket_timeout(direction, socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_has_its_own_timeout() {
        let second = Duration::from_secs(1);
        let timeouts = DirectionTimeouts::new(Some(second), None);
        assert_eq!(timeouts.get(Direction::Receive), Some(second));
        assert_eq!(timeouts.get(Direction::Send), None);
        timeouts.set(Direction::Receive, None);
        assert_eq!(timeouts.get(Direction::Receive), None);
    }

    #[test]
    fn a_timeout_below_one_microsecond_is_not_none() {
        let timeouts = DirectionTimeouts::new(Some(Duration::from_nanos(1)), None);
        let rounded = Some(Duration::from_micros(1));
        assert_eq!(timeouts.get(Direction::Receive), rounded);
    }
}
