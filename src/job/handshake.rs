//! Steps before the handler of a connection: the handshake, and the checks that need its result.

use std::borrow::Borrow;
use std::io;
use std::sync::Arc;

use crate::escape::Escaped;
use crate::handler_error::{HandlerError, Stage};
use crate::handshake_error::HandshakeError;
use crate::job;
use crate::logging::log_event;
use crate::panics::{catch_panic, catch_panic_io};
use crate::request::Request;
use crate::service::Service;
use crate::state::counters::{Outcome, RejectionReason};
use crate::state::{ConnectionState, InFlight, Rejection, ServerState};

/// Completes the handshake of a request on this thread, or in this coroutine, and calls `verify_request`.
///
/// # Errors
///
/// The outcome of a request that has no handler.
pub(super) fn complete<R: Request, S: Service<R>, C: Borrow<Arc<ServerState>>>(
    request: &mut R,
    service: &S,
    in_flight: &mut InFlight<C>,
) -> Result<(), Outcome> {
    let handshake = || request.complete_handshake();
    let completed = catch_panic_io("StreamSocket::handshake", io::ErrorKind::Other, handshake);
    completed.map_err(|error| failed(request, service, error))?;
    verify(request, service, in_flight)
}

/// Reports a failed handshake. Returns the outcome of its request.
pub(crate) fn failed<R: Request, S: Service<R>>(
    request: &mut R,
    service: &S,
    error: io::Error,
) -> Outcome {
    let connection_state = request.connection_state();
    if connection_state.is_some_and(ConnectionState::is_force_closed) {
        return Outcome::ForceClosed;
    }
    if connection_state.is_some_and(ConnectionState::is_evicted) {
        return Outcome::Rejected(RejectionReason::Descriptors);
    }
    if connection_state.is_some_and(ConnectionState::reads_are_ended) {
        return Outcome::Rejected(RejectionReason::Closing);
    }
    let error = HandshakeError::new(error);
    let state = &request.server().0;
    state.counters.count_handshake_error(error.kind());
    if !state.in_forked_child() {
        let (address, client) = (&state.address, Escaped(request.client_address()));
        log_event!(Debug, "{address}: {client}: {}", Escaped(&error));
    }
    let _ = catch_panic(|| service.handshake_error(request, &error));
    Outcome::Rejected(RejectionReason::Handshake)
}

/// Applies the limits by the client's address, if that was not known before, and calls `verify_request`. Rejects the
/// request if it returns `false` or panics.
///
/// # Errors
///
/// The outcome of a rejected request.
pub(crate) fn verify<R: Request, S: Service<R>, C: Borrow<Arc<ServerState>>>(
    request: &mut R,
    service: &S,
    in_flight: &mut InFlight<C>,
) -> Result<(), Outcome> {
    // Ended at the moment when the handshake was complete.
    if request
        .connection_state()
        .is_some_and(ConnectionState::is_evicted)
    {
        return Err(Outcome::Rejected(RejectionReason::Descriptors));
    }
    if let Some(address) = request.take_awaited_address() {
        match in_flight.state().limits.admit_client(address) {
            Ok(client) => in_flight.set_client(client),
            Err((reason, rejection)) => {
                log_rejection(in_flight.state(), request, reason);
                request.reject(&rejection);
                return Err(Outcome::Rejected(reason));
            }
        }
    }
    if let Some(state) = request.connection_state() {
        state.set_in_handshake(false);
    }
    let verified =
        HandlerError::catch(Stage::VerifyRequest, || Ok(service.verify_request(request)));
    let outcome = match verified {
        Ok(true) => return Ok(()),
        Ok(false) => {
            let reason = RejectionReason::VerifyRequest;
            log_rejection(&request.server().0, request, reason);
            Outcome::Rejected(reason)
        }
        Err(error) => {
            job::handle_error(service, request, &error);
            Outcome::Failed
        }
    };
    request.reject(&Rejection::Close);
    Err(outcome)
}

pub(crate) fn log_rejection<R: Request>(state: &ServerState, request: &R, reason: RejectionReason) {
    let (address, client) = (&state.address, Escaped(request.client_address()));
    log_event!(Debug, "{address}: {client} was rejected: {reason}");
}
