//! Those who wait in the queue of the listening socket when the server is closed.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::accept_error::AcceptErrorKind;
use crate::error::Error;
use crate::panics::catch_panic;
use crate::reentrancy::{self, Role};
use crate::request::Request;
use crate::server::accept_backoff::AcceptBackoff;
use crate::server::accept_loop::AcceptLoop;
use crate::server::drain::FinishQueue;
use crate::service::Service;
use crate::state::Rejection;
use crate::state::ServerHandle;
use crate::state::counters::RejectionReason;
use crate::state::limits::Admission;
use crate::strategy::{AcceptWait, LoopThread, Ready};
use crate::sys::close_on_fork::CloseOnFork;
use crate::sys::poll::wait_readable;
use crate::transport::Transport;

/// What becomes of clients that have connected, and have not been accepted, when the server is closed;
/// see [`Server::backlog_policy`](crate::Server::backlog_policy).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BacklogPolicy {
    /// They are accepted and served, as long as the grace period lasts; those that are left then are
    /// rejected.
    Serve,
    /// They are accepted, sent these bytes (none, if empty), and closed in order.
    Reject(Rejection),
    /// They are left where they are. If nobody else has the listening socket, the kernel resets them.
    Leave,
}

/// After so many errors in a row it is not the clients.
const MOST_ERRORS: usize = 256;

/// No kernel has longer queues; with a transport that lets clients in all the same, it has to end.
const MOST: usize = 1 << 16;
/// How long those may take who are half-way into the queue: enough for clients on the same machine. For
/// others it would be their way there and back; but each moment more that the accept_fds is closed, clients come to
/// it who try again only after a second.
const HALF_WAY: Duration = Duration::from_micros(100);

/// What takes care of them, and closes the socket. `private` is what was said about its descriptor, which
/// must not outlive it.
pub(super) fn finish<T: Transport, S: Service<T::Request>>(
    transport: &Arc<T>,
    service: &Arc<S>,
    handle: &ServerHandle,
    private: CloseOnFork<1>,
) -> FinishQueue {
    let (transport, service) = (Arc::clone(transport), Arc::clone(service));
    let handle = handle.clone();
    Box::new(move |strategy, policy, until| {
        let last = AcceptLoop {
            transport,
            service,
            strategy: Arc::clone(strategy),
            handle,
            poll_interval: None,
        };
        // Declared after the socket, so that it is dropped before.
        let _private = private;
        let _ = catch_panic(|| last.finish_queue(policy, until));
    })
}

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    fn finish_queue(&self, policy: &BacklogPolicy, until: Option<Instant>) {
        let rejection = match policy {
            BacklogPolicy::Leave => return,
            BacklogPolicy::Serve => None,
            BacklogPolicy::Reject(rejection) => Some(rejection),
        };
        // If that is not possible, the few are lost that come while the last one is served.
        let _ = catch_panic(|| self.transport.stop_new_connections());
        let state = self.state();
        let _serving = state.serve_backlog();
        let place = LoopThread::Caller;
        let _leave = self.leave_on_drop(&place);
        let _entered = reentrancy::enter(state.id(), Role::Loop);
        let mut seen = 0;
        let mut errors = 0;
        let mut looked_again = false;
        while seen < MOST {
            let rejecting = rejection.is_some() || is_over(until) || self.comes_too_late(until);
            let rejection = rejection.unwrap_or(&Rejection::Close);
            if !rejecting && !self.has_capacity(&place, until) {
                continue;
            }
            let taken = if rejecting {
                let reject_client =
                    |request| self.reject_client(request, RejectionReason::Closing, rejection);
                self.next_in_queue().map(reject_client)
            } else {
                let next = || self.get_request();
                self.accept_one(false, next, &place)
            };
            match taken {
                Ok(()) => {
                    seen += 1;
                    errors = 0;
                }
                Err(error)
                    if AcceptErrorKind::of(&error) == AcceptErrorKind::Retry
                        && errors < MOST_ERRORS =>
                {
                    errors += 1;
                }
                Err(error) if !rejecting && AcceptErrorKind::is_descriptor_exhaustion(&error) => {
                    if self.await_descriptor(&place, until).is_err() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !looked_again => {
                    looked_again = true;
                    let _ = wait_readable([self.transport.as_fd()], Some(HALF_WAY));
                }
                Err(_) => break,
            }
        }
    }

    /// Waits until there may be a descriptor for the next one. The one in reserve is for those who are
    /// rejected in the end: whoever is served with it, the others are lost.
    fn await_descriptor(&self, place: &LoopThread, until: Option<Instant>) -> Result<(), Error> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let delay = left.map_or(AcceptBackoff::PROBE_INTERVAL, |left| {
            left.min(AcceptBackoff::PROBE_INTERVAL)
        });
        let _awaited = self.state().reserve.wait_for_descriptor();
        self.wait_without_requests(Some(delay), place).map(drop)
    }

    /// Whether clients come faster than they may, so that the next can be taken in only when it is too late.
    fn comes_too_late(&self, until: Option<Instant>) -> bool {
        let token = self.state().limits.next_token();
        let token = token.and_then(|left| Instant::now().checked_add(left));
        token.is_some_and(|token| until.is_some_and(|until| until <= token))
    }

    /// Waits until limits and strategy take one more. `false`: look at the time again.
    fn has_capacity(&self, place: &LoopThread, until: Option<Instant>) -> bool {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let rejecting = match self.admission() {
            Admission::Admit => false,
            // If it cannot be waited for, the strategy below has the same error.
            Admission::Wait(_) if self.wait_for_place(left, place).is_ok() => return false,
            Admission::Wait(_) | Admission::Reject(_) => true,
        };
        let wait = AcceptWait {
            already_received: true,
            rejecting,
            ..self.wait(left, place)
        };
        match self.wait_by_strategy(&wait) {
            Ok(Ready::Woken) => {
                self.state().acknowledge_wake();
                false
            }
            Ok(Ready::TimedOut) => false,
            Err(error) if AcceptErrorKind::is_descriptor_exhaustion(&error) => {
                // If that fails, too, the next look at the queue has the same error.
                let _ = self.await_descriptor(place, until);
                false
            }
            Ok(Ready::Request) | Err(_) => true,
        }
    }

    fn next_in_queue(&self) -> io::Result<T::Request> {
        let taken = self.get_request();
        match &taken {
            Err(error) if AcceptErrorKind::is_descriptor_exhaustion(error) => {
                let reserve = &self.state().reserve;
                // If the last one has not given it back yet.
                reserve.refill();
                reserve.with_released(|| self.get_request())
            }
            _ => taken,
        }
    }
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| until <= Instant::now())
}
