//! From an accepted request to the strategy, or to its handler on this thread.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::job::{self, Job};
use crate::logging::log_event;
use crate::panics::catch_panic;
use crate::request::{Request, RequestKind, RequestLifecycle};
use crate::server::accept_backoff::AcceptBackoff;
use crate::server::accept_loop::{AcceptLoop, AcceptOutcome};
use crate::service::Service;
use crate::state::connectionless::{ConnectionlessRequest, CurrentDatagram};
use crate::state::counters::{Outcome, RejectionReason};
use crate::state::{InFlight, ServerState};
use crate::strategy::{AcceptWait, LoopThread, Ready};
use crate::transport::Transport;

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// Verifies a request and passes it to the strategy, or serves it on this thread if the strategy
    /// runs requests inline. A panic of the strategy costs only this request. Returns [`AcceptOutcome::NoRequest`]
    /// if the handshake comes first, on its thread.
    pub(super) fn dispatch(
        &self,
        request: T::Request,
        in_flight: InFlight<impl Borrow<Arc<ServerState>>>,
        thread: &LoopThread,
    ) -> AcceptOutcome {
        // A strategy for which a waiting connection costs little completes the handshake in its job.
        if request.needs_handshake() && self.has_handshake_thread(&request) {
            let _ = catch_panic(|| self.begin_handshake(request, in_flight.into_owned()));
            return AcceptOutcome::NoRequest;
        }
        let _ = catch_panic(|| self.verify_and_process(request, in_flight, thread));
        AcceptOutcome::Request
    }

    /// Verifies a datagram that is lent by an inline receiver, and serves it on this thread.
    pub(super) fn dispatch_inline(
        &self,
        request: &mut T::Request,
        current_datagram: &CurrentDatagram,
    ) {
        let _ = catch_panic(|| {
            if self.denial(request).is_some() {
                return self.count_rejected(request, RejectionReason::AccessList);
            }
            let _in_progress = current_datagram.begin(request.client_address().clone().into());
            let mut in_flight = InFlight::begin(self.state());
            if self.verify(request, &mut in_flight) {
                job::serve(request, &self.service, &mut in_flight);
            }
        });
    }

    fn verify_and_process(
        &self,
        request: T::Request,
        mut in_flight: InFlight<impl Borrow<Arc<ServerState>>>,
        thread: &LoopThread,
    ) {
        let state = self.state();
        if T::KIND == RequestKind::Datagram {
            in_flight.list(ConnectionlessRequest::new(
                request.client_address().clone().into(),
            ));
        }
        // A wait for this client on this thread delays the end of the loop. Only a connection can be
        // force-closed to end such a wait; a datagram has already arrived.
        let in_loop = (T::KIND == RequestKind::Connection).then(|| state.connection_in_loop());
        // Declared after `in_flight`, so that the request is closed before it is counted as ended.
        let mut request = request;
        if !request.needs_handshake() && !self.verify(&mut request, &mut in_flight) {
            return;
        }
        if self
            .strategy
            .scheduling()
            .runs_inline(thread.is_dedicated())
        {
            job::serve(&mut request, &self.service, &mut in_flight);
            return;
        }
        // From here on, the request does not delay the end of the loop.
        drop(in_loop);
        let service = Arc::clone(&self.service);
        let job = Job::new(request, service, in_flight.into_owned(), T::KIND);
        if let Err(rejected) = self.strategy.process_request(job) {
            rejected.close();
        }
    }

    /// Calls `verify_request`, and rejects the request if it returns `false` or panics. Returns
    /// whether the request is to be served.
    fn verify(
        &self,
        request: &mut T::Request,
        in_flight: &mut InFlight<impl Borrow<Arc<ServerState>>>,
    ) -> bool {
        match job::handshake::verify(request, &*self.service, in_flight) {
            Ok(()) => true,
            Err(outcome) => {
                in_flight.outcome = outcome;
                false
            }
        }
    }

    fn has_handshake_thread(&self, request: &T::Request) -> bool {
        let waits_cheaply = catch_panic(|| self.strategy.scheduling().waits_cheaply());
        waits_cheaply == Ok(false) && request.descriptor().is_some()
    }

    fn begin_handshake(&self, request: T::Request, in_flight: InFlight) {
        let added = self
            .handshakes
            .add(request, in_flight, &self.service, &self.handle);
        if let Err(refused) = added {
            let (mut request, mut in_flight, error) = *refused;
            log_event!(
                Warn,
                "{}: no thread for handshakes: {error}",
                self.state().address
            );
            let outcome = Outcome::Rejected(RejectionReason::Descriptors);
            job::end(&mut request, &mut in_flight, outcome);
        }
    }

    /// Passes a connection with a complete handshake to the strategy, once the strategy has a place.
    pub(super) fn dispatch_completed(
        &self,
        backoff: &mut AcceptBackoff,
        timeout: Option<Duration>,
        thread: &LoopThread,
    ) -> Result<AcceptOutcome, Error> {
        let wait = AcceptWait {
            already_received: true,
            ..self.wait(timeout, thread)
        };
        match self.wait_by_strategy(&wait) {
            Ok(Ready::Request) => {
                let Some(connection) = self.handshakes.take_completed() else {
                    return Ok(AcceptOutcome::NoRequest);
                };
                let (request, in_flight) = connection.into_parts();
                Ok(self.dispatch(request, in_flight, thread))
            }
            Ok(Ready::Woken) => {
                self.state().acknowledge_wake();
                Ok(AcceptOutcome::NoRequest)
            }
            Ok(Ready::TimedOut) => Ok(AcceptOutcome::TimedOut),
            Err(error) => {
                let outcome = self.handle_accept_error(backoff, error)?;
                // This loop looks at completed handshakes before it looks at the delay.
                match backoff.remaining_delay() {
                    Some(delay) => self.wait_out_back_off(backoff, delay, timeout, thread),
                    None => Ok(outcome),
                }
            }
        }
    }
}
