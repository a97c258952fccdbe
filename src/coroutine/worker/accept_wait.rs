//! The wait of an accept loop that runs on a worker.

use std::io;
use std::time::{Duration, Instant};

use crate::coroutine::worker::{Worker, key};
use crate::sys::fd::BorrowedFd;
use crate::sys::listener_fds::ListenerFds;
use crate::sys::poller::Watch;

/// The descriptors of an accept loop.
#[derive(Clone, Copy)]
pub(crate) struct AcceptFds<'a> {
    /// Readable when a request can be accepted.
    pub(crate) listeners: ListenerFds<'a>,
    /// Readable when another thread wakes the accept loop.
    pub(crate) waker: BorrowedFd<'a>,
}

/// The descriptors of an accept loop that the worker's poller watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AcceptInterest {
    Nothing,
    Waker,
    WakerAndListeners,
}

/// Events for an accept loop.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AcceptEvents {
    /// There may be a request to accept.
    pub(crate) request: bool,
    /// Another thread has woken the accept loop.
    pub(crate) woken: bool,
}

impl Worker {
    /// Number of requests in a row that are accepted, at most, before coroutines run that are ready.
    const MAX_SPECULATIVE_ACCEPTS: u32 = 16;

    /// Runs coroutines until there is a request (if `has_capacity`), the accept loop is woken, or
    /// `timeout` has passed. `None` waits without limit. With `likely`, there may well be a request, and
    /// an attempt to accept it costs less than a poll.
    ///
    /// Without `has_capacity`, it returns after each run of the coroutines, because there may be
    /// capacity then.
    pub(crate) fn wait_for_request(
        &self,
        accept_fds: AcceptFds<'_>,
        has_capacity: bool,
        likely: bool,
        timeout: Option<Duration>,
    ) -> io::Result<AcceptEvents> {
        let speculative = self.speculative_accepts.get();
        if likely && has_capacity && speculative < Self::MAX_SPECULATIVE_ACCEPTS {
            self.speculative_accepts.set(speculative + 1);
            return Ok(AcceptEvents {
                request: true,
                woken: false,
            });
        }
        self.speculative_accepts.set(0);
        let interest = if has_capacity {
            AcceptInterest::WakerAndListeners
        } else {
            AcceptInterest::Waker
        };
        self.set_accept_interest(accept_fds, interest)?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let events = self.run_once(deadline, !has_capacity)?;
            let is_expired = || deadline.is_some_and(|deadline| self.now.get() >= deadline);
            if events.request || events.woken || !has_capacity || is_expired() {
                return Ok(events);
            }
        }
    }

    /// Stops watching the descriptors of an accept loop.
    pub(crate) fn leave_accept_loop(&self, accept_fds: AcceptFds<'_>) {
        let _ = self.set_accept_interest(accept_fds, AcceptInterest::Nothing);
    }

    fn set_accept_interest(
        &self,
        accept_fds: AcceptFds<'_>,
        interest: AcceptInterest,
    ) -> io::Result<()> {
        let current = self.accept_interest.get();
        if current == interest {
            return Ok(());
        }
        if current == AcceptInterest::Nothing {
            self.poller
                .add(accept_fds.waker, key::WAKER, Watch::Level)?;
            self.accept_interest.set(AcceptInterest::Waker);
        }
        match (current, interest) {
            (AcceptInterest::WakerAndListeners, _) => {
                for (listener, key) in accept_fds.listeners.iter().zip(key::listeners()) {
                    self.poller.remove(listener, key);
                }
            }
            // Not `LevelExclusive`, although one worker is enough for a request. The kernel could wake a
            // worker that a handler blocks, or that reaches its capacity before the backlog is empty.
            (_, AcceptInterest::WakerAndListeners) => {
                let listeners = || accept_fds.listeners.iter().zip(key::listeners());
                let mut all = listeners();
                if let Err(error) =
                    all.try_for_each(|(listener, key)| self.poller.add(listener, key, Watch::Level))
                {
                    // All or none, so that the next attempt adds all.
                    listeners().for_each(|(listener, key)| self.poller.remove(listener, key));
                    return Err(error);
                }
            }
            _ => {}
        }
        if interest == AcceptInterest::Nothing {
            self.poller.remove(accept_fds.waker, key::WAKER);
        }
        self.accept_interest.set(interest);
        Ok(())
    }
}
