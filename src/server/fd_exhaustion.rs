//! The accept loop while there are no descriptors or no memory.
//!
//! Without a free descriptor, `accept(2)` fails before it looks into the backlog, so that a client cannot
//! even be rejected. The server therefore keeps one descriptor in reserve. The close of a connection
//! wakes loops that wait for a descriptor. For descriptors that other code closes, the loop probes every
//! 50 ms, and ends connections that have been in their handshake for a second. After a second without a
//! descriptor, it releases the reserve to accept and reject the connections in the backlog. If a descriptor seems to be free and `accept` fails all the same, the loop probes less and
//! less often.

use std::io;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::request::RequestKind;
use crate::server::accept_backoff::AcceptBackoff;
use crate::server::accept_loop::{AcceptLoop, AcceptOutcome};
use crate::service::Service;
use crate::state::Rejection;
use crate::state::counters::RejectionReason;
use crate::strategy::{AcceptWait, LoopThread, Ready};
use crate::transport::Transport;

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// Waits until the next attempt to accept is due, at most `delay`, because trying again at once
    /// would only use processor time. A stop ends the wait, and so does a descriptor that is free
    /// again.
    pub(super) fn wait_out_back_off(
        &self,
        backoff: &mut AcceptBackoff,
        mut delay: Duration,
        timeout: Option<Duration>,
        thread: &LoopThread,
    ) -> Result<AcceptOutcome, Error> {
        let exhausted_since = backoff.exhausted_since;
        // Precedes the probe below, because a descriptor that is closed earlier wakes no loop.
        let _waiting = exhausted_since.map(|_| self.state().reserve.wait_for_descriptor());
        if let Some(since) = exhausted_since {
            match self.recover_from_exhaustion(backoff, since) {
                None => return Ok(AcceptOutcome::NoRequest),
                Some(probe_delay) => delay = delay.min(probe_delay),
            }
        }
        let (delay, on_expiry) = match timeout {
            Some(timeout) if timeout <= delay => (timeout, AcceptOutcome::TimedOut),
            _ => (delay, AcceptOutcome::NoRequest),
        };
        match self.wait_without_accepting(Some(delay), thread)? {
            Ready::Woken => Ok(AcceptOutcome::NoRequest),
            _ => Ok(on_expiry),
        }
    }

    /// Looks for a free descriptor, and rejects the connections in the backlog if there has been none
    /// for too long. Returns the time until the next call; `None` if accepting can go on.
    fn recover_from_exhaustion(
        &self,
        backoff: &mut AcceptBackoff,
        since: Instant,
    ) -> Option<Duration> {
        let probe_delay = backoff.probe_delay();
        if probe_delay.is_none() && self.state().reserve.is_descriptor_free() {
            backoff.retry();
            return None;
        }
        let has_evicted = probe_delay.is_none() && self.state().connections.evict_handshakes();
        let shed_after = match has_evicted {
            true => AcceptBackoff::SHED_AFTER * 2, // their descriptors will be free in a moment
            false => AcceptBackoff::SHED_AFTER,
        };
        let is_shed_due = T::KIND == RequestKind::Connection && since.elapsed() >= shed_after;
        if is_shed_due && self.shed_backlog() {
            backoff.recover();
            return None;
        }
        let interval = AcceptBackoff::PROBE_INTERVAL;
        Some(probe_delay.map_or(interval, |delay| delay.min(interval)))
    }

    /// Waits, and leaves requests in the backlog meanwhile.
    pub(super) fn wait_without_accepting(
        &self,
        timeout: Option<Duration>,
        thread: &LoopThread,
    ) -> Result<Ready, Error> {
        let wait = AcceptWait {
            starved: true,
            ..self.wait(timeout, thread)
        };
        // The strategy's own wait may fail too, for lack of a descriptor or memory.
        let waited = self.wait_by_strategy(&wait);
        let waited = waited.or_else(|_| wait.for_notification());
        let ready = waited.map_err(|source| Error::Accept { source })?;
        if ready == Ready::Woken {
            self.state().acknowledge_wake();
        }
        Ok(ready)
    }

    /// Accepts connections with the reserve descriptor, and closes each in order. Returns whether the
    /// backlog is empty.
    fn shed_backlog(&self) -> bool {
        let reserve = &self.state().reserve;
        for _ in 0..AcceptBackoff::MAX_SHED_AT_ONCE {
            let reject_next = || {
                self.get_request().map(|request| {
                    self.reject_on_accept(request, RejectionReason::Descriptors, &Rejection::Close);
                })
            };
            let rejected = reserve.with_released(reject_next);
            let is_refilled = reserve.refill();
            match rejected {
                Ok(()) if is_refilled => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                _ => break,
            }
        }
        false
    }
}
