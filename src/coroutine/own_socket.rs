//! The connection that a coroutine serves.

use crate::sys::fd::RawFd;
use crate::sys::poll::Direction;
use crate::sys::poller::Event;

/// What a worker knows about the connection that one of its coroutines owns until its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnSocket {
    /// `None` for a coroutine without a connection, such as one for a datagram.
    pub(super) fd: Option<RawFd>,
    /// The poller reports when it becomes readable.
    pub(super) is_registered: bool,
    /// The poller reports when it becomes writable, too.
    pub(super) is_registered_to_send: bool,
    /// Nothing is left to receive until the poller reports that the socket is readable.
    is_drained: bool,
    /// There is no space to send until the poller reports that the socket is writable.
    is_full: bool,
    /// Neither reads nor writes will wait again.
    is_hung_up: bool,
    pub(super) first_receive: FirstReceive,
}

/// Progress of the attempts to receive the first bytes of a connection. A connection whose bytes arrive
/// during these attempts need not be registered with the poller, which saves a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstReceive {
    /// No attempt was made.
    Untried,
    /// The first attempt found nothing, or was skipped because it was likely to find nothing.
    Missed,
    /// The second attempt is due when other coroutines have run, or is under way.
    Retrying,
    /// No attempt of this kind is left.
    Done,
}

impl OwnSocket {
    pub(super) fn new(fd: Option<RawFd>) -> Self {
        Self {
            fd,
            is_registered: false,
            is_registered_to_send: false,
            is_drained: false,
            is_full: false,
            is_hung_up: false,
            first_receive: FirstReceive::Untried,
        }
    }

    /// Returns whether a receive or send is known to fail with `WouldBlock`.
    pub(super) fn is_exhausted(&self, direction: Direction) -> bool {
        match direction {
            Direction::Receive => self.is_drained,
            Direction::Send => self.is_full,
        }
    }

    /// Records that nothing is left to receive, or that there is no space to send. The poller reports
    /// when this changes: it reports the state at registration, and all changes after it.
    pub(super) fn record_exhausted(&mut self, direction: Direction) {
        match direction {
            Direction::Receive => self.is_drained = !self.is_hung_up,
            Direction::Send => self.is_full = !self.is_hung_up,
        }
    }

    /// Makes the next attempts, whatever is known. For a poller that does not report changes between waits.
    pub(super) fn forget_state(&mut self) {
        self.is_drained = false;
        self.is_full = false;
    }

    /// Schedules the second attempt to receive the first bytes.
    pub(super) fn retry_first_receive(&mut self) {
        self.first_receive = FirstReceive::Retrying;
        self.is_drained = false;
    }

    /// Records a report of the poller.
    pub(super) fn record_event(&mut self, event: Event) {
        self.is_hung_up |= event.hung_up;
        if event.readable || event.hung_up {
            self.is_drained = false;
        }
        if event.writable || event.hung_up {
            self.is_full = false;
        }
    }
}
