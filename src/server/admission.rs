//! Admission: how an accept loop applies the limits.

use std::io;
use std::time::Duration;

use crate::error::Error;
use crate::job::handshake::log_rejection;
use crate::panics::catch_panic;
use crate::request::{Request, RequestKind, RequestLifecycle};
use crate::server::accept_loop::{AcceptLoop, AcceptOutcome};
use crate::service::Service;
use crate::state::counters::RejectionReason;
use crate::state::limits::{Admission, Entry};
use crate::state::{InFlight, Rejection};
use crate::strategy::{LoopThread, Ready};
use crate::transport::Transport;

/// Interval at which a loop that waits for a place checks the limits itself, if there are several
/// loops. A place that comes free wakes only one of them, and a handler may be delaying that loop.
const RECHECK_INTERVAL: Duration = Duration::from_millis(50);

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// Returns the decision of the limits about the next request. Datagrams have no limits.
    #[inline]
    pub(super) fn admission(&self) -> Admission {
        match T::KIND {
            RequestKind::Connection => self.state().limits.admission(&self.state().counters),
            RequestKind::Datagram => Admission::Admit,
        }
    }

    /// Accepts a request with `accept`, and dispatches or rejects it, as the limits decide.
    ///
    /// `rejecting`: the loop expects to reject the request, so it has not waited for capacity of the
    /// strategy.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the limits keep the request in the backlog; otherwise the errors of `accept`.
    pub(super) fn accept_one(
        &self,
        rejecting: bool,
        accept: impl FnOnce() -> io::Result<T::Request>,
        thread: &LoopThread,
    ) -> io::Result<AcceptOutcome> {
        let state = self.state();
        let entry = match T::KIND {
            RequestKind::Connection => state.limits.try_admit(&state.counters, &state.waker),
            RequestKind::Datagram => Entry::Unlimited,
        };
        match entry {
            Entry::Unlimited => {
                let request = accept()?;
                Ok(self.dispatch(request, InFlight::begin(state), thread))
            }
            // A place came free since the wait. The loop waits again, now also for the strategy.
            Entry::Permit(_) if rejecting => Err(io::ErrorKind::WouldBlock.into()),
            Entry::Permit(permit) => {
                let request = accept()?;
                let admitted = catch_panic(|| {
                    let address = || request.client_address().clone().into().ip();
                    match permit.admit(address, |client| InFlight::begin_for(state, client)) {
                        Ok(in_flight) => self.dispatch(request, in_flight, thread),
                        Err((reason, rejection)) => {
                            self.reject_client(request, reason, &rejection);
                            AcceptOutcome::Request
                        }
                    }
                });
                Ok(admitted.unwrap_or(AcceptOutcome::Request))
            }
            Entry::Wait => Err(io::ErrorKind::WouldBlock.into()),
            Entry::Reject(reason, rejection) => {
                let request = accept()?;
                self.reject_client(request, reason, &rejection);
                Ok(AcceptOutcome::Request)
            }
        }
    }

    /// Rejects a client without calling the service.
    pub(super) fn reject_client(
        &self,
        mut request: T::Request,
        reason: RejectionReason,
        rejection: &Rejection,
    ) {
        self.state().counters.count_rejected_on_accept(reason);
        let _ = catch_panic(|| log_rejection(self.state(), &request, reason));
        let _ = catch_panic(|| request.reject(rejection));
        let _ = catch_panic(|| drop(request));
    }

    /// Leaves connections in the backlog until the decision of the limits may have changed. A stop
    /// ends the wait.
    pub(super) fn wait_for_place(
        &self,
        timeout: Option<Duration>,
        thread: &LoopThread,
    ) -> Result<AcceptOutcome, Error> {
        let state = self.state();
        let _waiting = state.limits.wait_for_place();
        let Admission::Wait(mut delay) = self.admission() else {
            return Ok(AcceptOutcome::NoRequest);
        };
        if thread.is_dedicated() {
            delay = Some(delay.map_or(RECHECK_INTERVAL, |delay| delay.min(RECHECK_INTERVAL)));
        }
        let (delay, on_expiry) = match (timeout, delay) {
            (Some(timeout), Some(delay)) if delay < timeout => {
                (Some(delay), AcceptOutcome::NoRequest)
            }
            (None, delay) => (delay, AcceptOutcome::NoRequest),
            (timeout, _) => (timeout, AcceptOutcome::TimedOut),
        };
        match self.wait_without_accepting(delay, thread)? {
            Ready::Woken => Ok(AcceptOutcome::NoRequest),
            _ => Ok(on_expiry),
        }
    }
}
