//! Jobs: one verified request, ready to run.

use std::borrow::Borrow;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::error::BoxError;
use crate::handler::RequestHandler;
use crate::handler_error::{HandlerError, Stage};
use crate::panics::catch_panic;
use crate::reentrancy::{self, Role};
use crate::request::{Request, RequestKind};
use crate::service::Service;
use crate::state::ConnectionState;
use crate::state::Rejection;
use crate::state::connectionless::ConnectionlessRequest;
use crate::state::counters::{Outcome, RejectionReason};
use crate::state::{InFlight, ServerState};

/// One request joined with its service, whatever their types: all that a
/// [`Strategy`](crate::Strategy) sees of either.
///
/// [`run`](Self::run) it, on any thread, at any time. If that turns out to be impossible,
/// [`reject`](Self::reject) it. Just dropping it closes the connection without a word to the
/// client.
#[must_use = "a job that is dropped closes its connection without serving it"]
pub struct Job {
    request: Box<dyn Runnable>,
}

impl Job {
    pub(crate) fn new<R: Request, S: Service<R>>(
        request: R,
        service: Arc<S>,
        in_flight: InFlight,
        kind: RequestKind,
    ) -> Self {
        let request = Box::new(Verified {
            request,
            service,
            kind,
            in_flight,
        });
        Self { request }
    }

    /// Runs the request to its end: handler, errors, closing. Python: `process_request_thread`,
    /// or the synchronous `process_request`.
    ///
    /// Never panics: what the handler does wrong ends in
    /// [`Service::handle_error`](crate::Service::handle_error).
    #[doc(alias = "process_request_thread")]
    pub fn run(self) {
        self.request.run();
    }

    /// The descriptor of its connection, if that belongs to it alone and to its end.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.request.descriptor()
    }

    /// The server's, whose job this is.
    pub(crate) fn state(&self) -> &Arc<ServerState> {
        self.request.state()
    }

    /// Runs the request in a forked child, and says how that went. The job stays as it is: all that
    /// it has ends with the process.
    pub(crate) fn run_in_child(mut self) -> Outcome {
        let outcome = self.request.run_in_child();
        std::mem::forget(self);
        outcome
    }

    /// Closes the parent's copy of the request, which goes on in a child: it is counted out when the
    /// result is dropped.
    pub(crate) fn leave_to_child(self) -> InFlight {
        self.request.close()
    }

    /// Gives the job back because it cannot be run. With an `error`, that is reported to
    /// [`Service::handle_error`](crate::Service::handle_error); without one, it was the
    /// strategy's choice (its queue is full, say), and the request is counted as rejected.
    pub fn reject(self, error: Option<BoxError>) -> Rejected {
        Rejected {
            job: self,
            error,
            rejection: Rejection::Close,
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

/// A job that a strategy could not, or would not, run. The server closes its request in order.
#[derive(Debug)]
pub struct Rejected {
    job: Job,
    error: Option<BoxError>,
    rejection: Rejection,
}

impl Rejected {
    /// Sets how the client is rejected. Default: [`Rejection::Close`].
    pub fn respond_with(mut self, rejection: Rejection) -> Self {
        self.rejection = rejection;
        self
    }

    pub(crate) fn close(self) {
        self.job.request.reject(self.error, &self.rejection);
    }
}

/// What can be done with a request whose type is not known.
trait Runnable: Send {
    fn run(self: Box<Self>);
    fn reject(self: Box<Self>, error: Option<BoxError>, rejection: &Rejection);
    fn state(&self) -> &Arc<ServerState>;
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
    fn run_in_child(&mut self) -> Outcome;
    fn close(self: Box<Self>) -> InFlight;
}

struct Verified<R, S> {
    request: R,
    service: Arc<S>,
    kind: RequestKind,
    // Dropped last: when no request is in flight, all of them are closed.
    in_flight: InFlight,
}

impl<R: Request, S: Service<R>> Runnable for Verified<R, S> {
    fn run(mut self: Box<Self>) {
        let Self {
            request,
            service,
            kind,
            in_flight,
        } = &mut *self;
        // A strategy may run it right here, in the accept loop, which it holds up then.
        let in_loop =
            *kind == RequestKind::Connection && reentrancy::is(in_flight.state().id(), Role::Loop);
        let state = in_loop.then(|| Arc::clone(in_flight.state()));
        let _can_be_cut = state.as_ref().map(|state| state.connection_in_loop());
        serve(request, service, in_flight);
        let _ = catch_panic(|| drop(self));
    }

    fn reject(mut self: Box<Self>, error: Option<BoxError>, rejection: &Rejection) {
        let Self {
            request,
            service,
            in_flight,
            ..
        } = &mut *self;
        in_flight.outcome = match error {
            None => Outcome::Rejected(RejectionReason::Strategy),
            Some(error) => {
                let error = HandlerError::new(Stage::ProcessRequest, error);
                handle_error(&**service, request, &error);
                Outcome::Failed
            }
        };
        request.reject(rejection);
    }

    fn state(&self) -> &Arc<ServerState> {
        self.in_flight.state()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.request.descriptor()
    }

    fn run_in_child(&mut self) -> Outcome {
        serve(&mut self.request, &self.service, &mut self.in_flight);
        self.in_flight.outcome
    }

    fn close(self: Box<Self>) -> InFlight {
        let Self {
            request,
            service,
            mut in_flight,
            ..
        } = *self;
        // From here on, this is all that is known of it.
        if let Some(connection_state) = request.connection_state() {
            in_flight.was_force_closed = connection_state.end();
            in_flight.list(ConnectionlessRequest {
                client_address: request.client_address().clone().into(),
                began: connection_state.began(),
                process: None,
            });
        }
        let _ = catch_panic(|| drop((request, service)));
        in_flight
    }
}

/// Takes a request to its end, but for closing it, which dropping it does. Never panics.
pub(crate) fn serve<R: Request, S: Service<R>, C: Borrow<Arc<ServerState>>>(
    request: &mut R,
    service: &Arc<S>,
    in_flight: &mut InFlight<C>,
) {
    let state = in_flight.state();
    let in_loop = reentrancy::is(state.id(), Role::Loop);
    let entered = (!in_loop).then(|| reentrancy::enter(state.id(), Role::Request));

    // What is left to go wrong is in the handler's error: its text, its drop.
    if let Some(connection_state) = request.connection_state() {
        connection_state.run();
    }
    let served = catch_panic(|| match finish_request(request, service) {
        Ok(()) => Outcome::Completed,
        Err(error) => {
            handle_error(&**service, request, &error);
            Outcome::Failed
        }
    });
    let was_force_closed = request.connection_state().is_some_and(ConnectionState::end);
    let _ = catch_panic(|| request.shutdown_request());
    drop(entered);
    in_flight.outcome = served.unwrap_or(Outcome::Failed);
    if was_force_closed {
        in_flight.force_closed(|| {
            let client_address = request.client_address().clone().into();
            Some(request.connection_state()?.info(client_address))
        });
    }
}

/// Makes the handler and takes it through `setup`, `handle` and `finish`, then sends the reply.
///
/// The rules are CPython's: if `setup` fails, the other two are not called; `finish` is called
/// even if `handle` failed, and if it fails too, its error stands, with the first as its context.
fn finish_request<R: Request, S: Service<R>>(
    request: &mut R,
    service: &Arc<S>,
) -> Result<(), HandlerError> {
    let mut handler = HandlerError::catch(Stage::RequestHandler, || Ok(service.request_handler()))?;
    let outcome = HandlerError::catch(Stage::Setup, || handler.setup(request)).and_then(|()| {
        let handled = HandlerError::catch(Stage::Handle, || handler.handle(request));
        let finished = HandlerError::catch(Stage::Finish, || handler.finish(request));
        match (handled, finished) {
            (Err(first), Err(second)) => Err(second.with_context(first)),
            (handled, finished) => handled.and(finished),
        }
    });
    let dropped = HandlerError::catch(Stage::RequestHandler, || {
        drop(handler);
        Ok(())
    });
    outcome.and(dropped)?;
    HandlerError::catch(Stage::Reply, || Ok(request.reply()?))
}

/// Calls the hook. A panic in it has been printed by the panic hook and costs nothing else.
pub(crate) fn handle_error<R: Request, S: Service<R>>(
    service: &S,
    request: &mut R,
    error: &HandlerError,
) {
    let _ = catch_panic(|| service.handle_error(request, error));
}
