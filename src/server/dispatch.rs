//! From an accepted request to the strategy, or to its handler on this thread.

use std::sync::Arc;

use crate::escape::Escaped;
use crate::handler_error::{HandlerError, Stage};
use crate::job::{self, Job};
use crate::logging::log_event;
use crate::panics::catch_panic;
use crate::request::{Request, RequestKind, RequestLifecycle};
use crate::server::accept_loop::AcceptLoop;
use crate::service::Service;
use crate::state::connectionless::{ConnectionlessRequest, CurrentDatagram};
use crate::state::counters::{Outcome, RejectionReason};
use crate::state::{InFlight, Rejection, ServerState};
use crate::strategy::LoopThread;
use crate::transport::Transport;

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// Verifies a request and passes it to the strategy, or serves it on this thread if the strategy
    /// runs requests inline. A panic of the strategy costs only this request.
    pub(super) fn dispatch(
        &self,
        request: T::Request,
        in_flight: InFlight<&Arc<ServerState>>,
        thread: &LoopThread,
    ) {
        let _ = catch_panic(|| self.verify_and_process(request, in_flight, thread));
    }

    /// Verifies a datagram that is lent by an inline receiver, and serves it on this thread.
    pub(super) fn dispatch_inline(
        &self,
        request: &mut T::Request,
        current_datagram: &CurrentDatagram,
    ) {
        let _ = catch_panic(|| {
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
        mut in_flight: InFlight<&Arc<ServerState>>,
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
        if !self.verify(&mut request, &mut in_flight) {
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
        in_flight: &mut InFlight<&Arc<ServerState>>,
    ) -> bool {
        let verified = HandlerError::catch(Stage::VerifyRequest, || {
            Ok(self.service.verify_request(request))
        });
        match verified {
            Ok(true) => return true,
            Ok(false) => {
                self.log_rejection(request, RejectionReason::VerifyRequest);
                in_flight.outcome = Outcome::Rejected(RejectionReason::VerifyRequest);
            }
            Err(error) => {
                in_flight.outcome = Outcome::Failed;
                job::handle_error(&*self.service, request, &error);
            }
        }
        request.reject(&Rejection::Close);
        false
    }

    pub(super) fn log_rejection(&self, request: &T::Request, reason: RejectionReason) {
        let (address, client) = (&self.state().address, Escaped(request.client_address()));
        log_event!(Debug, "{address}: {client} was rejected: {reason}");
    }
}
