//! From an accepted request to its handler.

use std::sync::Arc;

use crate::handler_error::{HandlerError, Stage};
use crate::job::{self, Job};
use crate::logging::log_event;
use crate::request::{Request, RequestKind, RequestLifecycle};
use crate::server::accept_loop::AcceptLoop;
use crate::service::Service;
use crate::state::connectionless::{ConnectionlessRequest, CurrentDatagram};
use crate::state::counters::{Outcome, RejectionReason};
use crate::state::{InFlight, Rejection, ServerState};
use crate::strategy::LoopThread;
use crate::transport::Transport;

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// Verifies a message and serves it right here.
    pub(super) fn serve_inline(
        &self,
        request: &mut T::Request,
        current_datagram: &CurrentDatagram,
    ) {
        let _busy = current_datagram.begin(request.client_address().clone().into());
        let mut in_flight = InFlight::begin(self.state());
        if self.admit(request, &mut in_flight) {
            job::serve(request, &self.service, &mut in_flight);
        }
    }

    /// Verifies a request and has it run: by the strategy, or right here, if the strategy says so.
    pub(super) fn process_request(
        &self,
        request: T::Request,
        in_flight: InFlight<&Arc<ServerState>>,
        place: &LoopThread,
    ) {
        let state = self.state();
        let mut in_flight = in_flight;
        if T::KIND == RequestKind::Datagram {
            in_flight.list(ConnectionlessRequest::new(
                request.client_address().clone().into(),
            ));
        }
        // Whatever waits for this client here keeps the loop from leaving; only a connection can be
        // cut off to end that, a message is here already.
        let can_be_cut = (T::KIND == RequestKind::Connection).then(|| state.connection_in_loop());
        // Declared after `in_flight`, so that it is closed before it is counted out.
        let mut request = request;
        if !self.admit(&mut request, &mut in_flight) {
            return;
        }
        if self.strategy.scheduling().runs_inline(place.is_dedicated()) {
            job::serve(&mut request, &self.service, &mut in_flight);
            return;
        }
        // It is the strategy's now: what becomes of it does not hold up the loop.
        drop(can_be_cut);
        let service = Arc::clone(&self.service);
        let in_flight = in_flight.into_owned();
        let job = Job::new(request, service, in_flight, T::KIND);
        if let Err(rejected) = self.strategy.process_request(job) {
            rejected.close();
        }
    }

    /// Verifies a request; one that is turned away is shut down.
    fn admit(&self, request: &mut T::Request, in_flight: &mut InFlight<&Arc<ServerState>>) -> bool {
        let admission = HandlerError::catch(Stage::VerifyRequest, || {
            Ok(self.service.verify_request(request))
        });
        in_flight.outcome = match admission {
            Ok(true) => return true,
            Ok(false) => {
                self.log_rejection(request, RejectionReason::VerifyRequest);
                Outcome::Rejected(RejectionReason::VerifyRequest)
            }
            Err(error) => {
                in_flight.outcome = Outcome::Failed;
                job::handle_error(&*self.service, request, &error);
                Outcome::Failed
            }
        };
        request.reject(&Rejection::Close);
        false
    }

    pub(super) fn log_rejection(&self, request: &T::Request, reason: RejectionReason) {
        let (address, client) = (&self.state().address, request.client_address());
        log_event!(Debug, "{address}: {client} was rejected: {reason}");
    }
}
