//! The accept loop: the same for every transport and every strategy.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::accept_error::AcceptErrorKind;
use crate::address::SocketAddress;
use crate::error::Error;
use crate::logging::log_event;
use crate::panics::{catch_panic, catch_panic_io};
use crate::reentrancy::{self, Role};
use crate::request::{Request, RequestKind};
use crate::server::accept_backoff::AcceptBackoff;
use crate::service::Service;
use crate::state::connectionless::CurrentDatagram;
use crate::state::life_cycle::RunKind;
use crate::state::limits::Admission;
use crate::state::server_state::Serving;
use crate::state::{ServerHandle, ServerState};
use crate::strategy::LoopThread;
use crate::strategy::{AcceptWait, Ready, Strategy};
use crate::sys;
use crate::transport::{ReceiveInline, Transport};

/// How a call of [`Server::handle_request`](super::Server::handle_request) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Handled {
    /// A request was taken in, and served or rejected.
    Request,
    /// None came in time; `handle_timeout` was called.
    Timeout,
    /// [`ServerHandle::shutdown`] was called.
    Shutdown,
}

/// What a server gives to those who take in requests for it.
pub(super) struct AcceptLoop<T: Transport, S: Service<T::Request>> {
    pub(super) transport: Arc<T>,
    pub(super) service: Arc<S>,
    pub(super) strategy: Arc<dyn Strategy>,
    pub(super) handle: ServerHandle,
    pub(super) poll_interval: Option<Duration>,
}

/// Where a loop that serves requests on the spot gets them, if it is not from `get_request`.
type LoopReceiver<'a, R> = Option<(Box<dyn ReceiveInline<R> + 'a>, Arc<CurrentDatagram>)>;

/// What one accept_next of the loop came to.
pub(super) enum AcceptOutcome {
    Request,
    /// No request, this time.
    Nothing,
    /// No request until the timeout.
    TimedOut,
}

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    pub(super) fn state(&self) -> &Arc<ServerState> {
        &self.handle.0
    }

    pub(super) fn serve_forever(&self) -> Result<(), Error> {
        self.run_forever(self.state().begin_serving(RunKind::Forever)?)
    }

    pub(super) fn run_forever(&self, _serving: Serving) -> Result<(), Error> {
        log_event!(Info, "{}: serving", self.state().address);
        let accept_loops = || Ok(self.strategy.scheduling().accept_loops(T::KIND));
        let accept_loops =
            catch_panic_io("Strategy::accept_loops", io::ErrorKind::Other, accept_loops);
        match accept_loops.map_err(|source| Error::Accept { source })? {
            0 => self.run_here(),
            loops => self.run_on_threads(loops),
        }
    }

    pub(super) fn handle_request(&self, timeout: Option<Duration>) -> Result<Handled, Error> {
        let state = self.state();
        let _serving = state.begin_serving(RunKind::Once)?;
        let place = LoopThread::Caller;
        let _leave = self.leave_on_drop(&place);
        let _entered = reentrancy::enter(state.id(), Role::Loop);
        let timeout = match (timeout, self.transport.timeout()) {
            (Some(server), Some(socket)) => Some(server.min(socket)),
            (server, socket) => server.or(socket),
        };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut backoff = AcceptBackoff::default();
        let mut inline_receiver = None;
        loop {
            if state.consume_stop() {
                return Ok(Handled::Shutdown);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.accept_next(&mut backoff, &mut inline_receiver, left, &place)? {
                AcceptOutcome::Request => return Ok(Handled::Request),
                AcceptOutcome::TimedOut => {
                    let _ = catch_panic(|| self.service.handle_timeout());
                    return Ok(Handled::Timeout);
                }
                AcceptOutcome::Nothing => {}
            }
        }
    }

    /// The loop on this thread.
    fn run_here(&self) -> Result<(), Error> {
        let place = LoopThread::Caller;
        let _leave = self.leave_on_drop(&place);
        let _entered = reentrancy::enter(self.state().id(), Role::Loop);
        let mut backoff = AcceptBackoff::default();
        let mut inline_receiver = self.inline_receiver(&place);
        while !self.state().is_stopping() {
            let accept_next = self.accept_next(
                &mut backoff,
                &mut inline_receiver,
                self.poll_interval,
                &place,
            )?;
            // As in Python, they follow the last request, but not a stop that ended the wait.
            if matches!(accept_next, AcceptOutcome::Request) || !self.state().is_stopping() {
                self.service_actions();
            }
        }
        Ok(())
    }

    /// Waits for a request and takes it in.
    pub(super) fn accept_next(
        &self,
        backoff: &mut AcceptBackoff,
        inline_receiver: &mut LoopReceiver<'_, T::Request>,
        timeout: Option<Duration>,
        place: &LoopThread,
    ) -> Result<AcceptOutcome, Error> {
        if let Some((inline_receiver, current_datagram)) = inline_receiver
            && let Some(request) = inline_receiver.next_buffered()
        {
            let _ = catch_panic(|| self.serve_inline(request, current_datagram));
            return Ok(AcceptOutcome::Request);
        }
        if let Some(left) = backoff.remaining_delay() {
            return self.back_off_accepting(backoff, left, timeout, place);
        }
        let rejecting = match self.admission() {
            Admission::Admit => false,
            Admission::Wait(_) => return self.wait_for_place(timeout, place),
            Admission::Reject(_) => true,
        };
        let likely = backoff.is_request_likely();
        let wait = AcceptWait {
            likely,
            rejecting,
            already_received: false,
            ..self.wait(timeout, place)
        };
        match self.wait_by_strategy(&wait) {
            Ok(Ready::TimedOut) => return Ok(AcceptOutcome::TimedOut),
            Ok(Ready::Woken) => {
                self.state().acknowledge_wake();
                return Ok(AcceptOutcome::Nothing);
            }
            // A stop goes before the next request, however many are waiting.
            Ok(Ready::Request) if self.state().is_stopping() => return Ok(AcceptOutcome::Nothing),
            Ok(Ready::Request) => {}
            Err(error) => return self.handle_accept_error(backoff, error),
        }
        // A strategy that panics costs the request that it was given, and has dropped.
        let processed = match inline_receiver {
            Some((inline_receiver, current_datagram)) => inline_receiver
                .receive(likely)
                .map(|request| drop(catch_panic(|| self.serve_inline(request, current_datagram)))),
            None => self.accept_one(rejecting, || self.get_request(), place),
        };
        match processed {
            Ok(()) => {
                backoff.found(likely);
                Ok(AcceptOutcome::Request)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                backoff.missed(likely);
                if likely {
                    // A wrong guess is no accept_next: nothing came, and no time went by.
                    return self.accept_next(backoff, inline_receiver, timeout, place);
                }
                if T::KIND == RequestKind::Datagram {
                    // It was said to be ready, and there is none: something else is to be read.
                    sys::datagram::discard_errors(self.transport.as_fd());
                }
                Ok(AcceptOutcome::Nothing)
            }
            Err(error) => self.handle_accept_error(backoff, error),
        }
    }

    /// Does what there is to do about an error of the listening socket, or of waiting for it.
    fn handle_accept_error(
        &self,
        backoff: &mut AcceptBackoff,
        error: io::Error,
    ) -> Result<AcceptOutcome, Error> {
        let kind = AcceptErrorKind::of(&error);
        self.state().counters.count_accept_error(kind);
        log_accept_error(&self.state().address, kind, &error);
        let _ = catch_panic(|| self.service.get_request_error(&error));
        match kind {
            AcceptErrorKind::Retry => backoff.record_client_error(),
            AcceptErrorKind::BackOff => {
                backoff.back_off();
                if AcceptErrorKind::is_descriptor_exhaustion(&error) {
                    backoff.record_fd_exhaustion();
                }
            }
            AcceptErrorKind::Fatal => return Err(Error::Accept { source: error }),
        }
        Ok(AcceptOutcome::Nothing)
    }

    /// For a loop that goes on: whether there is a better way to take requests in than `get_request`,
    /// as there can be where each is served before the next is taken.
    pub(super) fn inline_receiver(&self, place: &LoopThread) -> LoopReceiver<'_, T::Request> {
        // If it panics, it does so again for each request, and costs that.
        let inline = catch_panic(|| self.strategy.scheduling().runs_inline(place.is_dedicated()))
            .unwrap_or(false);
        let inline_receiver = || {
            self.transport
                .inline_receiver(&self.handle, !place.is_dedicated())
                .into_inner()
        };
        let inline_receiver = inline.then(inline_receiver).flatten()?;
        Some((inline_receiver, self.state().connectionless.register_loop()))
    }

    /// One request of the transport's. A panic of it, if it is not this crate's, is an error of that client.
    pub(super) fn get_request(&self) -> io::Result<T::Request> {
        let get_request = || self.transport.get_request(&self.handle);
        let kind = io::ErrorKind::ConnectionAborted;
        catch_panic_io("Transport::get_request", kind, get_request)
    }

    /// Waits in the strategy's way. A panic of it is an error, which ends the loop as others do.
    pub(super) fn wait_by_strategy(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        let waiting = || self.strategy.wait(wait);
        catch_panic_io("Strategy::wait", io::ErrorKind::Other, waiting)
    }

    pub(super) fn wait<'a>(
        &'a self,
        timeout: Option<Duration>,
        place: &'a LoopThread,
    ) -> AcceptWait<'a> {
        AcceptWait {
            listener: self.transport.as_fd(),
            handle: &self.handle,
            timeout,
            likely: false,
            already_received: false,
            starved: false,
            rejecting: false,
            loop_thread: place,
        }
    }

    /// Tells the strategy, when the result is dropped, that this thread leaves the loop.
    pub(super) fn leave_on_drop<'a>(&'a self, place: &'a LoopThread) -> impl Drop + 'a {
        LeaveOnDrop { of: self, place }
    }

    pub(super) fn service_actions(&self) {
        let _ = catch_panic(|| self.service.service_actions());
        let _ = catch_panic(|| self.strategy.scheduling().service_actions());
    }
}

fn log_accept_error(address: &SocketAddress, kind: AcceptErrorKind, error: &io::Error) {
    match kind {
        AcceptErrorKind::Retry => log_event!(Debug, "{address}: a client was lost: {error}"),
        AcceptErrorKind::BackOff => log_event!(Warn, "{address}: cannot take clients in: {error}"),
        AcceptErrorKind::Fatal => log_event!(Error, "{address}: the socket is unusable: {error}"),
    }
}

/// See [`AcceptLoop::leave_on_drop`].
struct LeaveOnDrop<'a, T: Transport, S: Service<T::Request>> {
    of: &'a AcceptLoop<T, S>,
    place: &'a LoopThread,
}

impl<T: Transport, S: Service<T::Request>> Drop for LeaveOnDrop<'_, T, S> {
    fn drop(&mut self) {
        let wait = self.of.wait(None, self.place);
        let _ = catch_panic(|| self.of.strategy.scheduling().on_accept_loop_exit(&wait));
    }
}
