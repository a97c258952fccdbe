//! Admission: how an accept loop applies the limits.

use std::io;
use std::time::Duration;

use crate::error::Error;
use crate::panics::catch_panic;
use crate::request::{Request, RequestKind, RequestLifecycle};
use crate::server::accept_loop::{AcceptLoop, AcceptOutcome};
use crate::service::Service;
use crate::state::counters::RejectionReason;
use crate::state::limits::{Admission, Entry};
use crate::state::{InFlight, Rejection};
use crate::strategy::{LoopThread, Ready};
use crate::transport::Transport;

/// How often a loop that waits for a place looks for one itself, where there are several: of these, one is
/// woken, and a handler may hold it up just then.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// What the limits say about whoever comes next. They are for connections.
    #[inline]
    pub(super) fn admission(&self) -> Admission {
        match T::KIND {
            RequestKind::Connection => self.state().limits.admission(&self.state().counters),
            RequestKind::Datagram => Admission::Admit,
        }
    }

    /// Takes in the request that `next` gets, or turns it away, as the limits say. It is `WouldBlock` if they
    /// say that it has to wait. `rejecting`: the strategy was not asked for room.
    pub(super) fn accept_one(
        &self,
        rejecting: bool,
        next: impl FnOnce() -> io::Result<T::Request>,
        place: &LoopThread,
    ) -> io::Result<()> {
        let state = self.state();
        let entry = match T::KIND {
            RequestKind::Connection => state.limits.try_admit(&state.counters, &state.waker),
            RequestKind::Datagram => Entry::Unlimited,
        };
        match entry {
            Entry::Unlimited => {
                let request = next()?;
                let _ =
                    catch_panic(|| self.process_request(request, InFlight::begin(state), place));
            }
            // There is room now: all is to be done again, as it is done then.
            Entry::Permit(_) if rejecting => return Err(io::ErrorKind::WouldBlock.into()),
            Entry::Permit(permit) => {
                let request = next()?;
                let _ = catch_panic(|| {
                    let address = || request.client_address().clone().into().ip();
                    match permit.admit(address, |client| InFlight::begin_for(state, client)) {
                        Ok(in_flight) => self.process_request(request, in_flight, place),
                        Err((reason, rejection)) => self.reject_client(request, reason, &rejection),
                    }
                });
            }
            Entry::Wait => return Err(io::ErrorKind::WouldBlock.into()),
            Entry::Reject(reason, rejection) => {
                let request = next()?;
                self.reject_client(request, reason, &rejection);
            }
        }
        Ok(())
    }

    /// Rejects a client without asking the service.
    pub(super) fn reject_client(
        &self,
        mut request: T::Request,
        reason: RejectionReason,
        rejection: &Rejection,
    ) {
        self.state().counters.count_rejected_on_accept(reason);
        self.log_rejection(&request, reason);
        let _ = catch_panic(|| request.reject(rejection));
        let _ = catch_panic(|| drop(request));
    }

    /// Leaves clients in the kernel's queue until the limits may say something else, and goes on with
    /// what else there is to do. As every wait, it ends with a stop.
    pub(super) fn wait_for_place(
        &self,
        timeout: Option<Duration>,
        place: &LoopThread,
    ) -> Result<AcceptOutcome, Error> {
        let state = self.state();
        let _waiting = state.limits.wait_for_place();
        let Admission::Wait(mut left) = self.admission() else {
            return Ok(AcceptOutcome::Nothing);
        };
        if place.is_dedicated() {
            left = Some(left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN)));
        }
        let (delay, outcome) = match (timeout, left) {
            (Some(timeout), Some(left)) if left < timeout => (Some(left), AcceptOutcome::Nothing),
            (None, left) => (left, AcceptOutcome::Nothing),
            (timeout, _) => (timeout, AcceptOutcome::TimedOut),
        };
        match self.wait_without_requests(delay, place)? {
            Ready::Woken => Ok(AcceptOutcome::Nothing),
            _ => Ok(outcome),
        }
    }
}
