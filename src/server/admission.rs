//! Admission: how an accept loop applies the limits.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::error::Error;
use crate::job::handshake::log_rejection;
use crate::panics::catch_panic;
use crate::request::{Request, RequestKind, RequestLifecycle};
use crate::server::accept_loop::{AcceptLoop, AcceptOutcome};
use crate::service::Service;
use crate::state::counters::RejectionReason;
use crate::state::limits::{Admission, Client};
use crate::state::server_state::admission::{Place, ServerEntry};
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
            RequestKind::Connection => self.state().admission(),
            RequestKind::Datagram => Admission::Admit,
        }
    }

    /// Accepts a request with `accept`, and dispatches or rejects it, as the access list and the limits decide.
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
        let entry = match T::KIND {
            RequestKind::Connection => self.state().try_admit(),
            RequestKind::Datagram => ServerEntry::Admit(Place::default()),
        };
        match entry {
            // A place came free since the wait, or the limits have changed. The loop waits again, now also
            // for the strategy.
            ServerEntry::Admit(_) if rejecting => Err(io::ErrorKind::WouldBlock.into()),
            ServerEntry::Admit(place) => Ok(self.admit(accept()?, place, thread)),
            ServerEntry::Wait => Err(io::ErrorKind::WouldBlock.into()),
            ServerEntry::Reject(reason, rejection) => {
                self.reject_on_accept(accept()?, reason, &rejection);
                Ok(AcceptOutcome::Request)
            }
        }
    }

    /// Admits an accepted request by the address of its client, and dispatches or rejects it.
    fn admit(&self, request: T::Request, place: Place<'_>, thread: &LoopThread) -> AcceptOutcome {
        let admitted = catch_panic(|| match self.admit_client(&request) {
            Ok(client) => {
                let in_flight = place.admit(|| InFlight::begin_for(self.state(), client));
                self.dispatch(request, in_flight, thread)
            }
            Err((reason, rejection)) => {
                drop(place);
                self.reject_client(request, reason, &rejection);
                AcceptOutcome::Request
            }
        });
        admitted.unwrap_or(AcceptOutcome::Request)
    }

    /// Applies the limits by the address of a client. Returns the client for which the connection was counted.
    fn admit_client(
        &self,
        request: &T::Request,
    ) -> Result<Option<Client>, (RejectionReason, Rejection)> {
        match T::KIND {
            RequestKind::Connection => match address_at_accept(request) {
                Some(address) => self.state().limits.admit_client(address),
                None => Ok(None),
            },
            RequestKind::Datagram => match self.denial(request) {
                Some(rejection) => Err((RejectionReason::AccessList, rejection)),
                None => Ok(None),
            },
        }
    }

    /// Returns how a request is rejected that the access list denies; `None` if it is admitted.
    #[inline]
    pub(super) fn denial(&self, request: &T::Request) -> Option<Rejection> {
        let limits = &self.state().limits;
        if !limits.has_access_list() {
            return None;
        }
        let denial = limits.check_access(address_at_accept(request)?).err()?;
        match T::KIND {
            RequestKind::Connection => Some(denial),
            // A reply would help an attacker that has forged the address.
            RequestKind::Datagram => Some(Rejection::Close),
        }
    }

    /// Rejects a request for a reason that does not depend on its client. For a denied client, the access list
    /// is the reason nevertheless.
    pub(super) fn reject_on_accept(
        &self,
        request: T::Request,
        reason: RejectionReason,
        rejection: &Rejection,
    ) {
        match catch_panic(|| self.denial(&request)) {
            Ok(Some(denial)) => {
                self.reject_client(request, RejectionReason::AccessList, &denial);
            }
            _ => self.reject_client(request, reason, rejection),
        }
    }

    /// Rejects a client without calling the service.
    fn reject_client(
        &self,
        mut request: T::Request,
        reason: RejectionReason,
        rejection: &Rejection,
    ) {
        self.count_rejected(&request, reason);
        let _ = catch_panic(|| request.reject(rejection));
        let _ = catch_panic(|| drop(request));
    }

    /// Counts and logs a request that was accepted only to be rejected.
    pub(super) fn count_rejected(&self, request: &T::Request, reason: RejectionReason) {
        self.state().counters.count_rejected_on_accept(reason);
        let _ = catch_panic(|| log_rejection(self.state(), request, reason));
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

/// The address by which a request is admitted when it was accepted; `None` if there is none, as on Unix sockets, or
/// if a proxy is going to tell it.
fn address_at_accept(request: &impl Request) -> Option<IpAddr> {
    if request.awaits_client_address() {
        return None;
    }
    request.client_address().clone().into().ip()
}
