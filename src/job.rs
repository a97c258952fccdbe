//! Jobs: requests that are ready to run.

pub(crate) mod handshake;

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::disconnect::ConnectionId;
use crate::error::BoxError;
use crate::handler::RequestHandler;
use crate::handler_error::{HandlerError, Stage};
use crate::panics::catch_panic;
use crate::reentrancy::{self, Role};
use crate::request::{Request, RequestKind};
use crate::service::Service;
#[cfg(unix)]
use crate::state::connectionless::ConnectionlessRequest;
use crate::state::counters::{Outcome, RejectionReason};
use crate::state::{ConnectionState, InFlight, Rejection, RequestInfo, ServerState};
use crate::sys::fd::BorrowedFd;

/// One request with its service, of any types. A [`Strategy`](crate::Strategy) gets requests only in this
/// form.
///
/// [`run`](Self::run) it, on any thread, at any time. If it cannot be run, [`reject`](Self::reject) it. A
/// job that is dropped closes its connection without a rejection message and without an orderly end, and
/// is counted in [`Stats::dropped`](crate::Stats::dropped).
///
/// See the [example](crate::Strategy).
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

    /// Runs the request to its end: calls the handler, handles errors, closes the request. Python:
    /// `process_request_thread`, or the synchronous `process_request`.
    ///
    /// Never panics: errors and panics of the handler are passed to
    /// [`Service::handle_error`].
    ///
    /// See the [example](crate::Strategy).
    #[doc(alias = "process_request_thread")]
    pub fn run(self) {
        self.request.run();
    }

    /// The descriptor of the connection, if the request is its only owner until it is dropped.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.request.descriptor()
    }

    /// The state of the job's server.
    pub(crate) fn state(&self) -> &Arc<ServerState> {
        self.request.state()
    }

    /// Runs the request in a forked child process, and returns its outcome. The request fails if
    /// `prepare`, which runs first, panics. Drops nothing of the job, because the process ends afterwards.
    #[cfg(unix)]
    pub(crate) fn run_in_child(mut self, prepare: &dyn Fn()) -> Outcome {
        let outcome = self.request.run_in_child(prepare);
        std::mem::forget(self);
        outcome
    }

    /// Closes the parent's copy of a request that a child process serves. The request is in flight until the
    /// result is dropped.
    #[cfg(unix)]
    pub(crate) fn leave_to_child(self) -> InFlight {
        self.request.leave_to_child()
    }

    /// Makes the value with which a strategy returns a job that it does not run.
    ///
    /// An `error` is passed to [`Service::handle_error`], and the request is
    /// counted as failed. `None` is for a decision of the strategy, for example because its queue is full;
    /// the request is counted as rejected.
    ///
    /// ```
    /// use socketserver::{Job, Rejected, prelude::*};
    ///
    /// struct Busy;
    /// impl Strategy for Busy {
    ///     fn process_request(&self, job: Job) -> std::result::Result<(), Rejected> {
    ///         Err(job.reject(None).respond_with(Rejection::message("421 busy\r\n")))
    ///     }
    /// }
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.strategy(Busy).spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "421 busy\r\n");
    /// # Ok::<(), BoxError>(())
    /// ```
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

/// A job that a strategy does not run. The server rejects the client and closes the request. Made by
/// [`Job::reject`].
///
/// See the [example](Job::reject).
#[derive(Debug)]
pub struct Rejected {
    job: Job,
    error: Option<BoxError>,
    rejection: Rejection,
}

impl Rejected {
    /// Sets how the client is rejected. Default: [`Rejection::Close`].
    ///
    /// See the [example](Job::reject).
    pub fn respond_with(mut self, rejection: Rejection) -> Self {
        self.rejection = rejection;
        self
    }

    /// Rejects the client, and closes the request.
    pub(crate) fn close(self) {
        self.job.request.reject(self.error, &self.rejection);
    }
}

/// The operations of a job, without the types of its request and service.
trait Runnable: Send {
    fn run(self: Box<Self>);
    fn reject(self: Box<Self>, error: Option<BoxError>, rejection: &Rejection);
    fn state(&self) -> &Arc<ServerState>;
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
    #[cfg(unix)]
    fn run_in_child(&mut self, prepare: &dyn Fn()) -> Outcome;
    #[cfg(unix)]
    fn leave_to_child(self: Box<Self>) -> InFlight;
}

struct Verified<R, S> {
    request: R,
    service: Arc<S>,
    kind: RequestKind,
    // Declared, and so dropped, after the request: a request that is not in flight is closed.
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
        // If a strategy runs the job in the accept loop, the loop cannot end before the connection does.
        let in_loop =
            *kind == RequestKind::Connection && reentrancy::is(in_flight.state().id(), Role::Loop);
        let state = in_loop.then(|| Arc::clone(in_flight.state()));
        let _in_loop = state.as_ref().map(|state| state.connection_in_loop());
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

    #[cfg(unix)]
    fn run_in_child(&mut self, prepare: &dyn Fn()) -> Outcome {
        let Self {
            request,
            service,
            in_flight,
            ..
        } = self;
        let prepared = HandlerError::catch(Stage::ProcessRequest, || {
            prepare();
            Ok(())
        });
        match prepared {
            Ok(()) => serve(request, service, in_flight),
            Err(error) => {
                handle_error(&**service, request, &error);
                let _ = catch_panic(|| request.shutdown_request(false));
                in_flight.outcome = Outcome::Failed;
            }
        }
        in_flight.outcome
    }

    #[cfg(unix)]
    fn leave_to_child(self: Box<Self>) -> InFlight {
        let Self {
            request,
            service,
            mut in_flight,
            ..
        } = *self;
        // The parent has no connection of this request any more, so it lists the request itself.
        if let Some(connection_state) = request.connection_state() {
            in_flight.was_force_closed = connection_state.end();
            in_flight.list(ConnectionlessRequest {
                client_address: request.client_address().clone().into(),
                accepted_at: connection_state.accepted_at(),
                process: None,
            });
        }
        let _ = catch_panic(|| drop((request, service)));
        in_flight
    }
}

/// Runs a request: calls the handler, handles errors, and ends the request in order. Dropping the request
/// closes it afterwards. Never panics.
pub(crate) fn serve<R: Request, S: Service<R>, C: Borrow<Arc<ServerState>>>(
    request: &mut R,
    service: &Arc<S>,
    in_flight: &mut InFlight<C>,
) {
    let state = in_flight.state();
    let in_loop = reentrancy::is(state.id(), Role::Loop);
    let entered = (!in_loop).then(|| reentrancy::enter(state.id(), Role::Request));

    if let Some(connection_state) = request.connection_state() {
        connection_state.run();
    }
    // `finish_request` and `handle_error` catch panics. The drop of the handler's error can still panic.
    let outcome = catch_panic(|| {
        if request.needs_handshake()
            && let Err(outcome) = handshake::complete(request, &**service, in_flight)
        {
            return outcome;
        }
        let served = finish_request(request, service);
        if let Some(forbidden) = request.forbidden_header() {
            return handshake::failed(request, &**service, forbidden);
        }
        match served {
            Ok(()) => Outcome::Completed,
            Err(error) => {
                handle_error(&**service, request, &error);
                match error.is_disconnect() {
                    true => Outcome::Disconnected,
                    false => Outcome::Failed,
                }
            }
        }
    });
    end(request, in_flight, outcome.unwrap_or(Outcome::Failed));
    drop(entered);
}

/// Closes the connection of a request that has been served or rejected, and records its outcome.
pub(crate) fn end<R: Request, C: Borrow<Arc<ServerState>>>(
    request: &mut R,
    in_flight: &mut InFlight<C>,
    outcome: Outcome,
) {
    let was_force_closed = request.connection_state().is_some_and(ConnectionState::end);
    let is_complete = outcome == Outcome::Completed;
    let _ = catch_panic(|| request.shutdown_request(is_complete));
    in_flight.outcome = outcome;
    if was_force_closed {
        in_flight.record_force_closed(|| {
            let client_address = request.client_address().clone().into();
            let state = request.connection_state()?;
            Some(RequestInfo::of_connection(state, client_address))
        });
    }
}

/// Serves a request by its handler. The error knows the connection of the request.
pub(crate) fn finish_request<R: Request, S: Service<R>>(
    request: &mut R,
    service: &Arc<S>,
) -> Result<(), HandlerError> {
    call_handler(request, service).map_err(|mut error| {
        let server = request.server().0.id();
        error.set_connection(request.connection_state().map(|state| ConnectionId {
            server,
            connection: state.id(),
        }));
        error
    })
}

/// Makes the handler, calls its `setup`, `handle` and `finish`, then sends the reply.
///
/// As in CPython: if `setup` fails, the other two are not called. `finish` is called even if `handle`
/// failed. If both fail, the error is that of `finish`, with the error of `handle` as its context.
fn call_handler<R: Request, S: Service<R>>(
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

/// Calls [`Service::handle_error`]. A panic in it has no effect, except that the panic hook prints it. A disconnect
/// is no failure of the request; a forked child cannot use a lock of its parent.
pub(crate) fn handle_error<R: Request, S: Service<R>>(
    service: &S,
    request: &mut R,
    error: &HandlerError,
) {
    let state = &request.server().0;
    if !error.is_disconnect() && !state.in_forked_child() {
        let _ = catch_panic(|| state.failures.add(|| error.to_string()));
    }
    let _ = catch_panic(|| service.handle_error(request, error));
}
