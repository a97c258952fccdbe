//! Stand-in for the wait of an accept loop.

use std::io;
use std::time::Duration;

use crate::models::accept_fds::AcceptFds;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    Request,
    Woken,
    TimedOut,
}

pub(crate) struct AcceptWait<'a> {
    pub(crate) fds: &'a AcceptFds,
    pub(crate) timeout: Option<Duration>,
    /// The loop does not wait for the listener, because it serves the backlog of a closed server.
    pub(crate) already_received: bool,
    /// The server rejects the next connection, which needs no capacity of the strategy.
    pub(crate) rejecting: bool,
}

impl AcceptWait<'_> {
    #[allow(clippy::unnecessary_wraps, reason = "the real function can fail")]
    pub(crate) fn for_request(&self) -> io::Result<Ready> {
        if self.already_received {
            return Ok(Ready::Request);
        }
        Ok(self.fds.wait(true, self.timeout))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the real function can fail")]
    pub(crate) fn for_notification(&self) -> io::Result<Ready> {
        Ok(self.fds.wait(false, self.timeout))
    }

    /// Models have no accept loops on threads of a strategy.
    pub(crate) fn in_worker_loop(&self) -> bool {
        false
    }

    pub(crate) fn notifier(&self) -> Notifier {
        Notifier(self.fds.clone())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Notifier(AcceptFds);

impl Notifier {
    pub(crate) fn notify(&self) {
        self.0.wake();
    }
}
