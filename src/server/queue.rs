//! Those who wait in the queue of the listening socket when the server is closed.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ServerHandle;
use super::accept::{AcceptLoop, Place};
use super::current::{self, Role};
use super::drain::{FinishQueue, WaitingClients};
use super::limits::Verdict;
use super::pace::Pace;
use super::stats::Refusal;
use crate::accept_error::AcceptErrorKind;
use crate::error::Error;
use crate::panics::contain;
use crate::request::Request;
use crate::service::Service;
use crate::strategy::{Ready, Wait};
use crate::sys::fork::KeptPrivate;
use crate::sys::poll::wait_readable;
use crate::transport::Transport;

/// After so many errors in a row it is not the clients.
const MOST_ERRORS: usize = 256;

/// No kernel has longer queues; with a transport that lets clients in all the same, it has to end.
const MOST: usize = 1 << 16;
/// How long those may take who are half-way into the queue: enough for clients on the same machine. For
/// others it would be their way there and back; but each moment more that the door is closed, clients come to
/// it who try again only after a second.
const HALF_WAY: Duration = Duration::from_micros(100);

/// What takes care of them, and closes the socket. `private` is what was said about its descriptor, which
/// must not outlive it.
pub(super) fn finish<T: Transport, S: Service<T::Request>>(
    transport: &Arc<T>,
    service: &Arc<S>,
    handle: &ServerHandle,
    private: KeptPrivate<1>,
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
        let _ = contain(|| last.finish_queue(policy, until));
    })
}

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    fn finish_queue(&self, policy: &WaitingClients, until: Option<Instant>) {
        let farewell = match policy {
            WaitingClients::Leave => return,
            WaitingClients::Serve => None,
            WaitingClients::Refuse(farewell) => Some(&farewell[..]),
        };
        // If that is not possible, the few are lost that come while the last one is served.
        let _ = contain(|| self.transport.close_the_door());
        let core = self.core();
        let _drains = core.loop_drains();
        let place = Place::Callers;
        let _leave = self.leave_on_drop(&place);
        let _entered = current::enter(core, Role::Loop);
        let mut seen = 0;
        let mut errors = 0;
        let mut looked_again = false;
        while seen < MOST {
            let refusing = farewell.is_some() || is_over(until) || self.comes_too_late(until);
            let farewell = farewell.unwrap_or_default();
            if !refusing && !self.has_room(&place, until) {
                continue;
            }
            let taken = if refusing {
                let turn_away = |request| self.turn_away(request, Refusal::Closing, farewell);
                self.next_in_queue().map(turn_away)
            } else {
                let next = || self.get_request();
                self.take_in(false, next, &place)
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
                Err(error) if !refusing && AcceptErrorKind::is_lack_of_descriptors(&error) => {
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
    /// refused in the end: whoever is served with it, the others are lost.
    fn await_descriptor(&self, place: &Place, until: Option<Instant>) -> Result<(), Error> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let delay = left.map_or(Pace::LOOK_AROUND, |left| left.min(Pace::LOOK_AROUND));
        let _awaited = self.core().reserve.await_one();
        self.wait_without_requests(Some(delay), place).map(drop)
    }

    /// Whether clients come faster than they may, so that the next can be taken in only when it is too late.
    fn comes_too_late(&self, until: Option<Instant>) -> bool {
        let token = self.core().limits.next_token();
        let token = token.and_then(|left| Instant::now().checked_add(left));
        token.is_some_and(|token| until.is_some_and(|until| until <= token))
    }

    /// Waits until limits and strategy take one more. `false`: look at the time again.
    fn has_room(&self, place: &Place, until: Option<Instant>) -> bool {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let turning_away = match self.verdict() {
            Verdict::Open => false,
            // If it cannot be waited for, the strategy below has the same error.
            Verdict::Shut(_) if self.await_place(left, place).is_ok() => return false,
            Verdict::Shut(_) | Verdict::Away(_) => true,
        };
        let wait = Wait {
            taken_in: true,
            turning_away,
            ..self.wait(left, place)
        };
        match self.wait_by_strategy(&wait) {
            Ok(Ready::Woken) => {
                self.core().acknowledge_wake();
                false
            }
            Ok(Ready::TimedOut) => false,
            Err(error) if AcceptErrorKind::is_lack_of_descriptors(&error) => {
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
            Err(error) if AcceptErrorKind::is_lack_of_descriptors(error) => {
                let reserve = &self.core().reserve;
                // If the last one has not given it back yet.
                reserve.stock();
                reserve.spend(|| self.get_request())
            }
            _ => taken,
        }
    }

    /// Turns a client away, without asking anybody.
    pub(super) fn turn_away(&self, mut request: T::Request, reason: Refusal, farewell: &[u8]) {
        self.core().counters.count_turned_away(reason);
        self.log_refusal(&request, reason);
        let _ = contain(|| request.refuse(farewell));
        let _ = contain(|| drop(request));
    }
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| until <= Instant::now())
}
