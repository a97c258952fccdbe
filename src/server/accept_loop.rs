//! The accept loop, for every transport and every strategy.
//!
//! A connection passes through these methods of [`AcceptLoop`], in this order:
//!
//! 1. [`accept_next`](AcceptLoop::accept_next) waits for it, in the way of the strategy. If there is an
//!    obstacle, [`wait_for_place`](AcceptLoop::wait_for_place) (limits) or
//!    [`wait_out_back_off`](AcceptLoop::wait_out_back_off) (errors) leave it in the backlog for now.
//! 2. [`accept_one`](AcceptLoop::accept_one) asks the limits for a permit, accepts the connection, and
//!    rejects it if it exceeds a limit.
//! 3. [`dispatch`](AcceptLoop::dispatch) calls `verify_request` and passes the connection to
//!    [`Strategy::process_request`], or serves it on this thread.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::accept_error::AcceptErrorKind;
use crate::address::SocketAddress;
use crate::error::Error;
use crate::escape::Escaped;
use crate::logging::log_event;
use crate::panics::{catch_panic, catch_panic_io};
use crate::reentrancy::{self, Role};
use crate::request::RequestKind;
use crate::server::accept_backoff::AcceptBackoff;
use crate::server::handshakes::Handshakes;
use crate::server::listeners::Listeners;
use crate::service::Service;
use crate::state::connectionless::CurrentDatagram;
use crate::state::life_cycle::RunKind;
use crate::state::limits::Admission;
use crate::state::server_state::Serving;
use crate::state::{ServerHandle, ServerState};
use crate::strategy::{AcceptWait, LoopThread, Ready, Strategy};
use crate::transport::{ReceiveInline, Transport};

/// How a call of [`Server::handle_request`](super::Server::handle_request) ended.
///
/// See the [example](crate::Server::handle_request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Handled {
    /// A request was accepted, and served or rejected.
    Request,
    /// No request came in time, and [`Service::handle_timeout`] was called.
    Timeout,
    /// [`ServerHandle::shutdown`] was called.
    Shutdown,
}

/// The parts of a server that its accept loops share.
pub(super) struct AcceptLoop<T: Transport, S: Service<T::Request>> {
    pub(super) listeners: Arc<Listeners<T>>,
    pub(super) service: Arc<S>,
    pub(super) strategy: Arc<dyn Strategy>,
    pub(super) handle: ServerHandle,
    pub(super) poll_interval: Option<Duration>,
    pub(super) handshakes: Arc<Handshakes<T::Request>>,
}

/// The source of datagrams that a loop serves itself, and the entry that lists the current one. `None`
/// for a loop that calls `get_request`.
pub(super) type InlineSource<'a, R> =
    Option<(Box<dyn ReceiveInline<R> + 'a>, Arc<CurrentDatagram>)>;

/// How one pass of an accept loop ended.
pub(super) enum AcceptOutcome {
    /// A request was accepted, and dispatched or rejected.
    Request,
    /// No request was accepted; the timeout has not expired.
    NoRequest,
    /// The timeout expired.
    TimedOut,
}

// ---- the loops ----

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    pub(super) fn state(&self) -> &Arc<ServerState> {
        &self.handle.0
    }

    pub(super) fn serve_forever(&self) -> Result<(), Error> {
        self.run_until_stop(&self.state().begin_serving(RunKind::Forever)?)
    }

    pub(super) fn run_until_stop(&self, _serving: &Serving) -> Result<(), Error> {
        log_event!(Info, "{}: serving", self.state().address);
        let accept_loops = || Ok(self.strategy.scheduling().accept_loops(T::KIND));
        let accept_loops =
            catch_panic_io("Strategy::scheduling", io::ErrorKind::Other, accept_loops);
        match accept_loops.map_err(|source| Error::Accept { source })? {
            0 => self.run_on_caller_thread(),
            loops => self.run_on_own_threads(loops),
        }
    }

    fn run_on_caller_thread(&self) -> Result<(), Error> {
        let thread = LoopThread::Caller;
        let _exit = self.exit_on_drop(&thread);
        let _entered = reentrancy::enter(self.state().id(), Role::Loop);
        let mut backoff = AcceptBackoff::default();
        let mut inline = self.inline_source(&thread);
        while !self.state().is_stopping() {
            let outcome =
                self.accept_next(&mut backoff, &mut inline, self.poll_interval, &thread)?;
            // As in Python: called after the last request, and not if a stop ended the wait.
            if matches!(outcome, AcceptOutcome::Request) || !self.state().is_stopping() {
                self.service_actions();
            }
        }
        Ok(())
    }

    pub(super) fn handle_request(&self, timeout: Option<Duration>) -> Result<Handled, Error> {
        let state = self.state();
        let _serving = state.begin_serving(RunKind::Once)?;
        let thread = LoopThread::Caller;
        let _exit = self.exit_on_drop(&thread);
        let _entered = reentrancy::enter(state.id(), Role::Loop);
        let timeout = match (timeout, self.listeners.timeout()) {
            (Some(server), Some(socket)) => Some(server.min(socket)),
            (server, socket) => server.or(socket),
        };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut backoff = AcceptBackoff::default();
        let mut inline = None;
        loop {
            if state.consume_stop() {
                return Ok(Handled::Shutdown);
            }
            let remaining =
                deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.accept_next(&mut backoff, &mut inline, remaining, &thread)? {
                AcceptOutcome::Request => return Ok(Handled::Request),
                AcceptOutcome::TimedOut => {
                    let _ = catch_panic(|| self.service.handle_timeout());
                    return Ok(Handled::Timeout);
                }
                AcceptOutcome::NoRequest => {}
            }
        }
    }

    pub(super) fn service_actions(&self) {
        let _ = catch_panic(|| self.service.service_actions());
        let _ = catch_panic(|| self.strategy.scheduling().service_actions());
    }

    /// Calls [`on_accept_loop_exit`](crate::strategy::Scheduling) of the strategy when the result is
    /// dropped.
    pub(super) fn exit_on_drop<'a>(&'a self, thread: &'a LoopThread) -> impl Drop + 'a {
        ExitOnDrop {
            accept_loop: self,
            thread,
        }
    }
}

// ---- one pass ----

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// Waits for the next request, accepts it and dispatches it.
    pub(super) fn accept_next(
        &self,
        backoff: &mut AcceptBackoff,
        inline: &mut InlineSource<'_, T::Request>,
        timeout: Option<Duration>,
        thread: &LoopThread,
    ) -> Result<AcceptOutcome, Error> {
        if self.dispatch_buffered(inline) {
            return Ok(AcceptOutcome::Request);
        }
        if self.handshakes.has_completed() {
            return self.dispatch_completed(backoff, timeout, thread);
        }
        if let Some(delay) = backoff.remaining_delay() {
            return self.wait_out_back_off(backoff, delay, timeout, thread);
        }
        let rejecting = match self.admission() {
            Admission::Admit => false,
            Admission::Wait(_) => return self.wait_for_place(timeout, thread),
            Admission::Reject(_) => true,
        };
        let likely = backoff.is_request_likely();
        let wait = AcceptWait {
            likely,
            rejecting,
            ..self.wait(timeout, thread)
        };
        match self.wait_by_strategy(&wait) {
            Ok(Ready::TimedOut) => return Ok(AcceptOutcome::TimedOut),
            Ok(Ready::Woken) => {
                self.state().acknowledge_wake();
                return Ok(AcceptOutcome::NoRequest);
            }
            // A stop takes effect before the next request, even if requests are waiting.
            Ok(Ready::Request) if self.state().is_stopping() => {
                return Ok(AcceptOutcome::NoRequest);
            }
            Ok(Ready::Request) => {}
            Err(error) => return self.handle_accept_error(backoff, error),
        }
        let accepted = match inline {
            Some((receiver, current_datagram)) => receiver.receive(likely).map(|request| {
                self.dispatch_inline(request, current_datagram);
                AcceptOutcome::Request
            }),
            None => self.accept_one(rejecting, || self.get_request(), thread),
        };
        match accepted {
            Ok(outcome) => {
                backoff.record_request(likely);
                Ok(outcome)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                backoff.record_empty(likely);
                if likely {
                    // The loop has not waited yet, so the timeout still counts in full.
                    return self.accept_next(backoff, inline, timeout, thread);
                }
                if T::KIND == RequestKind::Datagram {
                    // The socket was readable without a datagram: it has queued errors.
                    self.report_queued_errors();
                }
                if backoff.is_suspiciously_empty()
                    && let Some(error) = self.listeners.shutdown_error()
                {
                    return self.handle_accept_error(backoff, error);
                }
                Ok(AcceptOutcome::NoRequest)
            }
            Err(error) if T::KIND == RequestKind::Datagram && self.listeners.is_queued(&error) => {
                self.report_queued_errors();
                Ok(AcceptOutcome::NoRequest)
            }
            Err(error) => self.handle_accept_error(backoff, error),
        }
    }

    /// Serves the next of the datagrams that were received by an earlier system call. Returns whether
    /// there was one.
    fn dispatch_buffered(&self, inline: &mut InlineSource<'_, T::Request>) -> bool {
        let Some((receiver, current_datagram)) = inline else {
            return false;
        };
        let Some(request) = receiver.next_buffered() else {
            return false;
        };
        self.dispatch_inline(request, current_datagram);
        true
    }

    /// Counts, logs and reports an error of the listening socket or of the wait for it. Backs off or
    /// returns the error, depending on its kind.
    pub(super) fn handle_accept_error(
        &self,
        backoff: &mut AcceptBackoff,
        error: io::Error,
    ) -> Result<AcceptOutcome, Error> {
        let kind = self.report_accept_error(&error);
        match kind {
            AcceptErrorKind::Retry if is_of_ended_connection(T::KIND, &error) => {
                backoff.record_aborted(error.raw_os_error().is_some());
            }
            AcceptErrorKind::Retry => backoff.record_client_error(),
            AcceptErrorKind::BackOff => {
                backoff.back_off();
                if AcceptErrorKind::is_descriptor_exhaustion(&error) {
                    backoff.record_fd_exhaustion();
                }
            }
            AcceptErrorKind::Fatal => return Err(Error::Accept { source: error }),
        }
        Ok(AcceptOutcome::NoRequest)
    }

    /// Reports errors of earlier replies. They do not make the loop back off, because each was taken from the
    /// socket, and others wait behind them.
    fn report_queued_errors(&self) {
        self.listeners.take_errors(|error| {
            self.report_accept_error(&error);
        });
    }

    fn report_accept_error(&self, error: &io::Error) -> AcceptErrorKind {
        let kind = AcceptErrorKind::of(error);
        self.state().counters.count_accept_error(kind);
        log_accept_error(&self.state().address, kind, error);
        let _ = catch_panic(|| self.service.get_request_error(error));
        kind
    }

    /// Returns the source of datagrams for a loop that serves each request before it accepts the next;
    /// `None` if the strategy or the transport has no such loop.
    pub(super) fn inline_source(&self, thread: &LoopThread) -> InlineSource<'_, T::Request> {
        // A strategy that panics here panics again in `dispatch`, where it costs one request.
        let runs_inline = catch_panic(|| {
            self.strategy
                .scheduling()
                .runs_inline(thread.is_dedicated())
        })
        .unwrap_or(false);
        if !runs_inline {
            return None;
        }
        let is_only_loop = !thread.is_dedicated();
        // It waits for datagrams of its own socket only.
        let transport = self.listeners.only()?;
        let receiver = transport.inline_receiver(&self.handle, is_only_loop);
        let receiver = receiver.into_inner()?;
        Some((receiver, self.state().connectionless.register_loop()))
    }

    /// Accepts one request. A panic of a transport outside this crate is an error that concerns one
    /// client.
    pub(super) fn get_request(&self) -> io::Result<T::Request> {
        let get_request = || self.listeners.get_request(&self.handle);
        let kind = io::ErrorKind::ConnectionAborted;
        catch_panic_io("Transport::get_request", kind, get_request)
    }

    /// Calls [`Strategy::wait`]. A panic in it is an error, which ends the loop as other errors do.
    pub(super) fn wait_by_strategy(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        let waiting = || self.strategy.wait(wait);
        catch_panic_io("Strategy::wait", io::ErrorKind::Other, waiting)
    }

    pub(super) fn wait<'a>(
        &'a self,
        timeout: Option<Duration>,
        thread: &'a LoopThread,
    ) -> AcceptWait<'a> {
        AcceptWait {
            listeners: self.listeners.fds(),
            handle: &self.handle,
            timeout,
            likely: false,
            already_received: false,
            starved: false,
            rejecting: false,
            loop_thread: thread,
        }
    }
}

/// Returns whether an error of accepting says that the connection has ended before. Windows says so by
/// `WSAECONNRESET`, other systems by `ECONNABORTED`.
pub(super) fn is_of_ended_connection(kind: RequestKind, error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::ConnectionAborted => true,
        io::ErrorKind::ConnectionReset => kind == RequestKind::Connection,
        _ => false,
    }
}

fn log_accept_error(address: &SocketAddress, kind: AcceptErrorKind, error: &io::Error) {
    let error = Escaped(error);
    match kind {
        AcceptErrorKind::Retry => {
            log_event!(
                Debug,
                "{address}: an error that concerns one client: {error}"
            );
        }
        AcceptErrorKind::BackOff => {
            log_event!(Warn, "{address}: cannot accept requests: {error}");
        }
        AcceptErrorKind::Fatal => log_event!(Error, "{address}: the socket is unusable: {error}"),
    }
}

/// See [`AcceptLoop::exit_on_drop`].
struct ExitOnDrop<'a, T: Transport, S: Service<T::Request>> {
    accept_loop: &'a AcceptLoop<T, S>,
    thread: &'a LoopThread,
}

impl<T: Transport, S: Service<T::Request>> Drop for ExitOnDrop<'_, T, S> {
    fn drop(&mut self) {
        let Self {
            accept_loop,
            thread,
        } = self;
        let wait = accept_loop.wait(None, thread);
        let _ = catch_panic(|| accept_loop.strategy.scheduling().on_accept_loop_exit(&wait));
    }
}
