//! Identity of a coroutine, and what it waits for.

use std::time::Instant;

use crate::sys::fd::RawFd;
use crate::sys::poll::Direction;

/// Identifies a coroutine of one worker, also after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token {
    pub(super) index: u32,
    /// Tells coroutines apart that use the same index one after another.
    pub(super) generation: u32,
}

impl Token {
    /// The key of the coroutine's socket in a [`Poller`](crate::sys::poller::Poller).
    pub(super) fn key(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(super) fn from_key(key: u64) -> Self {
        Self {
            index: key as u32,
            generation: (key >> 32) as u32,
        }
    }
}

/// Reason for which a coroutine does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParkReason {
    /// None: it runs, or is queued to run.
    None,
    /// It waits for a [`Waiter::wake`](super::Waiter::wake).
    Wake,
    /// It waits for its own socket.
    OwnSocket(Direction),
    /// It waits for a socket that it does not own.
    ForeignFd(RawFd, Direction),
}

/// How long a wait for a socket may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitLimit {
    /// As long as the timeout of the socket (`SO_RCVTIMEO`, `SO_SNDTIMEO`).
    SocketTimeout,
    /// Until a moment. `None` is without limit.
    Until(Option<Instant>),
}
