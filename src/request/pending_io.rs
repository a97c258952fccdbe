//! A read or write that may have to wait, and when its wait expires.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::poll::Direction;
use crate::timeout::{TimedOut, TimeoutKind};

/// A read or write that may have to wait.
pub(super) struct PendingIo {
    pub(super) direction: Direction,
    /// The timeout that applies, apart from the request timeout.
    pub(super) kind: TimeoutKind,
    /// When this timeout began. `None`: the clock was not read.
    pub(super) since: Option<Instant>,
}

impl PendingIo {
    pub(super) fn read(kind: TimeoutKind, since: Option<Instant>) -> Self {
        Self {
            direction: Direction::Receive,
            kind,
            since,
        }
    }

    pub(super) fn write(since: Option<Instant>) -> Self {
        Self {
            direction: Direction::Send,
            kind: TimeoutKind::Write,
            since,
        }
    }
}

/// The timeout that expires first for a pending read or write.
pub(super) struct Expiration {
    pub(super) kind: TimeoutKind,
    pub(super) timeout: Option<Duration>,
    /// `None`: never.
    pub(super) at: Option<Instant>,
}

impl Expiration {
    /// The time left; zero if the timeout has expired, `None` if it never does.
    pub(super) fn remaining(&self) -> Option<Duration> {
        Some(self.at?.saturating_duration_since(Instant::now()))
    }

    pub(super) fn error(&self) -> io::Error {
        TimedOut::error(self.kind, self.timeout)
    }
}
