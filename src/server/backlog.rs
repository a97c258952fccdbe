//! The backlogs of the listening sockets while the server is being closed.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::accept_error::AcceptErrorKind;
use crate::error::Error;
use crate::panics::catch_panic;
use crate::reentrancy::{self, Role};
use crate::request::RequestKind;
use crate::server::accept_backoff::AcceptBackoff;
use crate::server::accept_loop::{AcceptLoop, AcceptOutcome, is_of_ended_connection};
use crate::server::backlog_policy::BacklogPolicy;
use crate::server::drain::{Deadlines, DrainBacklog};
use crate::server::handshakes::Handshakes;
use crate::server::listeners::Listeners;
use crate::service::Service;
use crate::state::counters::RejectionReason;
use crate::state::limits::Admission;
use crate::state::{Rejection, ServerHandle};
use crate::strategy::{AcceptWait, LoopThread, Ready};
use crate::sys::close_on_fork::CloseOnFork;
use crate::sys::poll::wait_any_readable;
use crate::transport::Transport;

/// Number of errors in a row after which the backlog is given up, because the cause is not a client.
const MAX_CONSECUTIVE_ERRORS: usize = 256;

/// Number of connections after which the backlog counts as drained. No kernel has longer backlogs, but
/// a transport may be unable to stop new connections.
const MAX_CONNECTIONS: usize = 1 << 16;

/// Time for handshakes that are under way when the backlog is found empty: enough for clients on the
/// same machine. Remote clients would need a round trip, but clients that connect meanwhile get no
/// answer and try again only after a second, so a longer wait harms more of them.
const HANDSHAKE_TIME: Duration = Duration::from_micros(100);

/// Returns the function that drains the backlogs and closes the listening sockets.
///
/// `close_on_fork` are the registrations of the sockets' descriptors. They end before the sockets are closed.
pub(super) fn drain_on_close<T: Transport, S: Service<T::Request>>(
    listeners: &Arc<Listeners<T>>,
    service: &Arc<S>,
    handle: &ServerHandle,
    handshakes: &Arc<Handshakes<T::Request>>,
    close_on_fork: Vec<CloseOnFork<1>>,
) -> DrainBacklog {
    let (listeners, service) = (Arc::clone(listeners), Arc::clone(service));
    let (handle, handshakes) = (handle.clone(), Arc::clone(handshakes));
    Box::new(move |strategy, policy, deadlines: Deadlines| {
        let mut accept_loop = AcceptLoop {
            listeners,
            service,
            strategy: Arc::clone(strategy),
            handle,
            poll_interval: None,
            handshakes,
        };
        let _ = catch_panic(|| accept_loop.drain_backlog(policy, deadlines.backlog));
        if T::KIND == RequestKind::Connection && *policy != BacklogPolicy::Leave {
            let _ = catch_panic(|| accept_loop.listeners.stop_listening());
        }
        // The sockets are closed, and child processes learn of it, before the handshakes, which can take the whole
        // grace period.
        drop(close_on_fork);
        let _ = catch_panic(|| accept_loop.listeners = Arc::new(Listeners::closed()));
        let _ = catch_panic(|| accept_loop.strategy.scheduling().drain(Duration::ZERO));
        let _ = catch_panic(|| accept_loop.finish_handshakes(deadlines.handshakes));
    })
}

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// Serves or rejects the connections in the backlog. The connections that remain at the deadline
    /// are rejected.
    fn drain_backlog(&self, policy: &BacklogPolicy, deadline: Option<Instant>) {
        let rejection = match policy {
            BacklogPolicy::Leave => return,
            BacklogPolicy::Serve => None,
            BacklogPolicy::Reject(rejection) => Some(rejection),
        };
        let _ = catch_panic(|| self.listeners.stop_new_connections());
        let state = self.state();
        let _drains = state.serve_backlog();
        let thread = LoopThread::Caller;
        let _exit = self.exit_on_drop(&thread);
        let _entered = reentrancy::enter(state.id(), Role::Loop);
        let mut connections = 0;
        let mut errors = 0;
        let mut has_waited_for_handshakes = false;
        while connections < MAX_CONNECTIONS {
            let is_too_late = || has_expired(deadline) || self.is_token_too_late(deadline);
            let rejection = rejection.or_else(|| is_too_late().then_some(&Rejection::Close));
            if rejection.is_none() && !self.wait_for_capacity(&thread, deadline) {
                continue;
            }
            let accepted = match rejection {
                Some(rejection) => self.reject_from_backlog(rejection),
                None => self
                    .accept_one(false, || self.get_request(), &thread)
                    .map(drop),
            };
            match accepted {
                Ok(()) => {
                    connections += 1;
                    errors = 0;
                }
                Err(error)
                    if AcceptErrorKind::of(&error) == AcceptErrorKind::Retry
                        && errors < MAX_CONSECUTIVE_ERRORS =>
                {
                    // An error of the system has taken the ended connection from the backlog.
                    let is_taken = error.raw_os_error().is_some();
                    match is_taken && is_of_ended_connection(T::KIND, &error) {
                        true => connections += 1,
                        false => errors += 1,
                    }
                }
                Err(error)
                    if rejection.is_none() && AcceptErrorKind::is_descriptor_exhaustion(&error) =>
                {
                    if self.wait_for_descriptor(&thread, deadline).is_err() {
                        break;
                    }
                }
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && !has_waited_for_handshakes =>
                {
                    has_waited_for_handshakes = true;
                    let _ = wait_any_readable(self.listeners.fds().iter(), Some(HANDSHAKE_TIME));
                }
                Err(_) => break,
            }
        }
    }

    /// Passes the connections that complete their handshakes until the deadline to the strategy, and ends the
    /// others. A deadline in the past costs no time.
    fn finish_handshakes(&self, deadline: Option<Instant>) {
        if !self.handshakes.has_any() {
            return;
        }
        let state = self.state();
        let _drains = state.serve_backlog();
        let thread = LoopThread::Caller;
        let _exit = self.exit_on_drop(&thread);
        let _entered = reentrancy::enter(state.id(), Role::Loop);
        let mut backoff = AcceptBackoff::default();
        // Passing a connection to a strategy that has a place is no wait, unless the handler runs on this thread.
        let runs_inline = || {
            self.strategy
                .scheduling()
                .runs_inline(thread.is_dedicated())
        };
        let mut has_places = catch_panic(runs_inline) == Ok(false);
        while has_places && self.handshakes.has_completed() {
            let dispatched = self.dispatch_completed(&mut backoff, Some(Duration::ZERO), &thread);
            has_places = !matches!(dispatched, Ok(AcceptOutcome::TimedOut) | Err(_));
        }
        while self.handshakes.has_any() && !has_expired(deadline) {
            let timeout = remaining(deadline);
            let waited = if self.handshakes.has_completed() {
                self.dispatch_completed(&mut backoff, timeout, &thread)
                    .map(drop)
            } else {
                self.wait_without_accepting(timeout, &thread).map(drop)
            };
            if waited.is_err() {
                break;
            }
        }
        self.handshakes.close();
    }

    /// Returns whether the accept rate allows the next connection only after the deadline.
    fn is_token_too_late(&self, deadline: Option<Instant>) -> bool {
        let next_token = self.state().limits.next_token();
        let next_token = next_token.and_then(|delay| Instant::now().checked_add(delay));
        next_token.is_some_and(|token| deadline.is_some_and(|deadline| deadline <= token))
    }

    /// Waits until limits and strategy have capacity for one connection. `false` if the wait ended for
    /// another reason; the deadline may have passed.
    fn wait_for_capacity(&self, thread: &LoopThread, deadline: Option<Instant>) -> bool {
        let timeout = remaining(deadline);
        let rejecting = match self.admission() {
            Admission::Admit => false,
            // If this wait fails, the strategy's wait below fails with the same error.
            Admission::Wait(_) if self.wait_for_place(timeout, thread).is_ok() => return false,
            Admission::Wait(_) | Admission::Reject(_) => true,
        };
        let wait = AcceptWait {
            already_received: true,
            rejecting,
            ..self.wait(timeout, thread)
        };
        match self.wait_by_strategy(&wait) {
            Ok(Ready::Woken) => {
                self.state().acknowledge_wake();
                false
            }
            Ok(Ready::TimedOut) => false,
            Err(error) if AcceptErrorKind::is_descriptor_exhaustion(&error) => {
                // If this fails too, the next attempt to accept fails with the same error.
                let _ = self.wait_for_descriptor(thread, deadline);
                false
            }
            Ok(Ready::Request) | Err(_) => true,
        }
    }

    /// Waits until there may be a descriptor for the next connection. The reserve is not used here,
    /// because rejecting the connections that remain at the deadline needs it.
    fn wait_for_descriptor(
        &self,
        thread: &LoopThread,
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
        let interval = AcceptBackoff::PROBE_INTERVAL;
        let delay = remaining(deadline).map_or(interval, |remaining| remaining.min(interval));
        let _waiting = self.state().reserve.wait_for_descriptor();
        self.wait_without_accepting(Some(delay), thread).map(drop)
    }

    /// Accepts one connection, with the reserve descriptor if there is no other, and rejects it.
    fn reject_from_backlog(&self, rejection: &Rejection) -> io::Result<()> {
        let request = match self.get_request() {
            Err(error) if AcceptErrorKind::is_descriptor_exhaustion(&error) => {
                let reserve = &self.state().reserve;
                // The previous connection may have returned its descriptor only now.
                reserve.refill();
                reserve.with_released(|| self.get_request())
            }
            accepted => accepted,
        };
        self.reject_on_accept(request?, RejectionReason::Closing, rejection);
        Ok(())
    }
}

fn has_expired(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

fn remaining(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}
