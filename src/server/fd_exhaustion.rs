//! What an accept loop does while there are no descriptors, or no memory.

use std::io;
use std::time::Duration;

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
    /// Out of descriptors or memory: trying again at once would only burn a processor. Waits a
    /// little, longer each time, but not for a stop, nor for a descriptor that is there again.
    pub(super) fn back_off_accepting(
        &self,
        backoff: &mut AcceptBackoff,
        left: Duration,
        timeout: Option<Duration>,
        place: &LoopThread,
    ) -> Result<AcceptOutcome, Error> {
        let reserve = &self.state().reserve;
        let awaited = backoff
            .exhausted_since
            .map(|since| (since, reserve.wait_for_descriptor()));
        let mut delay = left;
        if let Some((since, _)) = awaited {
            // One that was closed before the line above was announced to nobody.
            let probe_delay = backoff.probe_delay();
            if probe_delay.is_none() && reserve.is_descriptor_free() {
                backoff.retry();
                return Ok(AcceptOutcome::Nothing);
            }
            if let Some(probe_delay) = probe_delay {
                delay = delay.min(probe_delay);
            }
            let shed =
                T::KIND == RequestKind::Connection && since.elapsed() >= AcceptBackoff::SHED_AFTER;
            if shed && self.shed_backlog() {
                backoff.recover();
                return Ok(AcceptOutcome::Nothing);
            }
            delay = delay.min(AcceptBackoff::PROBE_INTERVAL);
        }
        let (delay, outcome) = match timeout {
            Some(timeout) if timeout <= delay => (timeout, AcceptOutcome::TimedOut),
            _ => (delay, AcceptOutcome::Nothing),
        };
        match self.wait_without_requests(Some(delay), place)? {
            Ready::Woken => Ok(AcceptOutcome::Nothing),
            _ => Ok(outcome),
        }
    }

    /// Waits, and leaves requests to the kernel's queue meanwhile.
    pub(super) fn wait_without_requests(
        &self,
        timeout: Option<Duration>,
        place: &LoopThread,
    ) -> Result<Ready, Error> {
        let wait = AcceptWait {
            starved: true,
            ..self.wait(timeout, place)
        };
        // A strategy that lacks something too cannot even wait in its own way.
        let waited = self.wait_by_strategy(&wait);
        let waited = waited.or_else(|_| wait.for_notification());
        let ready = waited.map_err(|source| Error::Accept { source })?;
        if ready == Ready::Woken {
            self.state().acknowledge_wake();
        }
        Ok(ready)
    }

    /// There has been no descriptor for so long that clients have waited enough: with the one that is
    /// kept for this, they get an end at least. Returns whether nobody is left.
    fn shed_backlog(&self) -> bool {
        let reserve = &self.state().reserve;
        for _ in 0..AcceptBackoff::MAX_SHED_AT_ONCE {
            let one = || {
                let taken = self.get_request();
                taken.map(|request| {
                    self.reject_client(request, RejectionReason::Descriptors, &Rejection::Close)
                })
            };
            let rejected_on_accept = reserve.with_released(one);
            let in_stock = reserve.refill();
            match rejected_on_accept {
                Ok(()) if in_stock => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                _ => break,
            }
        }
        false
    }
}
