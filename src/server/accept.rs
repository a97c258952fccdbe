//! The accept loop: the same for every transport and every strategy.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ServerHandle;
use super::core::{Core, InFlight, Serving};
use super::current::{self, Role};
use super::life::Run;
use super::limits::Verdict;
use super::others::{Desk, Other};
use super::pace::Pace;
use super::stats::{Outcome, Refusal};
use crate::accept_error::AcceptErrorKind;
use crate::address::ServerAddress;
use crate::error::Error;
use crate::handler_error::{HandlerError, Stage};
use crate::job::{self, Job};
use crate::logging::log_event;
use crate::panics::{contain, contain_io};
use crate::request::Request;
use crate::service::Service;
use crate::strategy::{Ready, RequestKind, Strategy, Wait};
use crate::sys;
use crate::sys::exclusive::ExclusiveWait;
use crate::sys::parked::parked;
use crate::transport::{Reception, Transport};

/// How a call of [`Server::handle_request`](super::Server::handle_request) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Handled {
    /// A request was taken in, and served or refused.
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

/// Where a loop runs.
#[derive(Debug)]
pub(crate) enum Place {
    /// On the thread that called `serve_forever` or `handle_request`.
    Callers,
    /// On a thread of its own, beside others. Without the wait that this thread has to itself it
    /// waits as a single loop does: where there are few, or for lack of a descriptor.
    Own(Option<ExclusiveWait>),
}

impl Place {
    /// Up to this many loops, waking all of them for a request costs less than the epoll sets that
    /// would wake one: 0.94 against 0.87 of a C loop with four, under load.
    const FEW: usize = 8;

    fn own(loops: usize, listener: BorrowedFd<'_>, waker: BorrowedFd<'_>) -> Self {
        let exclusive = (loops > Self::FEW).then(|| ExclusiveWait::new(waker, listener).ok());
        Self::Own(exclusive.flatten())
    }

    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }
}

/// Where a loop that serves requests on the spot gets them, if it is not from `get_request`.
type OwnReception<'a, R> = Option<(Box<dyn Reception<R> + 'a>, Arc<Desk>)>;

/// What one turn of the loop came to.
pub(super) enum Turn {
    Request,
    /// No request, this time.
    Nothing,
    /// No request until the timeout.
    TimedOut,
}

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    pub(super) fn core(&self) -> &Arc<Core> {
        &self.handle.0
    }

    pub(super) fn serve_forever(&self) -> Result<(), Error> {
        self.run_forever(self.core().begin_serving(Run::Forever)?)
    }

    pub(super) fn run_forever(&self, _serving: Serving) -> Result<(), Error> {
        log_event!(Info, "{}: serving", self.core().address);
        let acceptors = || Ok(self.strategy.acceptors(T::KIND));
        let acceptors = contain_io("Strategy::acceptors", io::ErrorKind::Other, acceptors);
        match acceptors.map_err(|source| Error::Accept { source })? {
            0 => self.run_here(),
            loops => self.run_on_threads(loops),
        }
    }

    pub(super) fn handle_request(&self, timeout: Option<Duration>) -> Result<Handled, Error> {
        let core = self.core();
        let _serving = core.begin_serving(Run::Once)?;
        let place = Place::Callers;
        let _leave = self.leave_on_drop(&place);
        let _entered = current::enter(core, Role::Loop);
        let timeout = match (timeout, self.transport.timeout()) {
            (Some(server), Some(socket)) => Some(server.min(socket)),
            (server, socket) => server.or(socket),
        };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut pace = Pace::default();
        let mut reception = None;
        loop {
            if core.consume_stop() {
                return Ok(Handled::Shutdown);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.turn(&mut pace, &mut reception, left, &place)? {
                Turn::Request => return Ok(Handled::Request),
                Turn::TimedOut => {
                    let _ = contain(|| self.service.handle_timeout());
                    return Ok(Handled::Timeout);
                }
                Turn::Nothing => {}
            }
        }
    }

    /// The loop on this thread.
    fn run_here(&self) -> Result<(), Error> {
        let place = Place::Callers;
        let _leave = self.leave_on_drop(&place);
        let _entered = current::enter(self.core(), Role::Loop);
        let mut pace = Pace::default();
        let mut reception = self.reception(&place);
        while !self.core().is_stopping() {
            let turn = self.turn(&mut pace, &mut reception, self.poll_interval, &place)?;
            // As in Python, they follow the last request, but not a stop that ended the wait.
            if matches!(turn, Turn::Request) || !self.core().is_stopping() {
                self.service_actions();
            }
        }
        Ok(())
    }

    /// As many loops as the strategy wants, each on a thread of its own. This thread looks after
    /// `service_actions` meanwhile.
    fn run_on_threads(&self, loops: usize) -> Result<(), Error> {
        let core = self.core();
        let _entered = current::enter(core, Role::Loop);
        let (ended, ends) = mpsc::channel();
        let threads = {
            let _stop = StopOnDrop(core);
            let threads = self.start_loops(loops, ended)?;
            while !core.life.wait_for_stop(self.poll_interval) {
                self.service_actions();
            }
            threads
        };
        self.await_loops(&ends, threads)
    }

    /// Waits until all loops have ended, but not longer than a handler that holds one up may take: such a
    /// loop is left behind, with what it has of the server.
    fn await_loops(
        &self,
        ends: &mpsc::Receiver<Result<(), Error>>,
        threads: Vec<JoinHandle<()>>,
    ) -> Result<(), Error> {
        let core = self.core();
        let mut deadline = core.life.cut_at();
        let mut is_cut = false;
        let mut outcome = Ok(());
        loop {
            let next = || match deadline {
                Some(deadline) => {
                    ends.recv_timeout(deadline.saturating_duration_since(Instant::now()))
                }
                None => ends.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match parked(next) {
                Ok(ended) => outcome = outcome.and(ended),
                // The grace period is over for all, whoever it is that holds up a loop.
                Err(RecvTimeoutError::Timeout) if !is_cut => {
                    is_cut = true;
                    // Somebody else may have done it; the loops have time to end all the same.
                    if core.life.begin_cut() {
                        core.connections.cut();
                    }
                    deadline = core.loops_given_up_at();
                }
                Err(RecvTimeoutError::Timeout) => return outcome,
                // The last loop to end has taken the last sender with it.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Where nobody knows, waiting could take for ever.
        if !contain(|| self.strategy.keeps_requests()).unwrap_or(true) {
            for thread in threads {
                let _ = thread.join();
            }
        }
        outcome
    }

    /// Starts the threads; fewer, if not all can be had, but at least one.
    fn start_loops(
        &self,
        loops: usize,
        ended: mpsc::Sender<Result<(), Error>>,
    ) -> Result<Vec<JoinHandle<()>>, Error> {
        let mut threads = Vec::new();
        let run = self.core().life.ended_runs();
        for number in 1..=loops {
            let (own, ended) = (self.clone(), ended.clone());
            let builder = || Ok(self.strategy.acceptor_thread());
            let builder = contain_io("Strategy::acceptor_thread", io::ErrorKind::Other, builder);
            let thread = builder.and_then(|builder| {
                let named = builder.name(format!("socketserver-{number}"));
                named.spawn(move || own.run_own_loop(loops, run, ended))
            });
            match thread {
                Ok(thread) => threads.push(thread),
                // Fewer threads serve more slowly, but they serve.
                Err(_) if !threads.is_empty() => break,
                Err(source) => {
                    let what = "a thread to serve on";
                    return Err(Error::Resources { what, source });
                }
            }
        }
        Ok(threads)
    }

    /// All that such a thread does.
    fn run_own_loop(self, loops: usize, run: u64, ended: mpsc::Sender<Result<(), Error>>) {
        let outcome = contain(|| self.own_loop(loops, run)).unwrap_or_else(|_| {
            let source = io::Error::other("an accept loop panicked");
            Err(Error::Accept { source })
        });
        let strategy = Arc::clone(&self.strategy);
        // From here on this thread has nothing of the server but its strategy: whoever waits for the
        // loops to end may close it.
        drop(self);
        let _ = ended.send(outcome);
        drop(ended);
        let _ = contain(|| strategy.finish_requests());
    }

    fn own_loop(&self, loops: usize, run: u64) -> Result<(), Error> {
        let core = self.core();
        let place = Place::own(loops, self.transport.as_fd(), core.waker.as_fd());
        // However this loop ends, the others end too.
        let _stop = StopOnDrop(core);
        let _leave = self.leave_on_drop(&place);
        let _entered = current::enter(core, Role::Loop);
        let mut pace = Pace::default();
        let mut reception = self.reception(&place);
        // One that was left behind ends when it can, however many runs later.
        while !core.is_stopping() && core.life.ended_runs() == run {
            if let Turn::Request = self.turn(&mut pace, &mut reception, None, &place)? {
                self.service_actions();
            }
        }
        Ok(())
    }

    /// Waits for a request and takes it in.
    fn turn(
        &self,
        pace: &mut Pace,
        reception: &mut OwnReception<'_, T::Request>,
        timeout: Option<Duration>,
        place: &Place,
    ) -> Result<Turn, Error> {
        if let Some((reception, desk)) = reception
            && let Some(request) = reception.next_taken_in()
        {
            let _ = contain(|| self.serve_in_place(request, desk));
            return Ok(Turn::Request);
        }
        if let Some(left) = pace.penalty() {
            return self.sit_out(pace, left, timeout, place);
        }
        let turning_away = match self.verdict() {
            Verdict::Open => false,
            Verdict::Shut(_) => return self.await_place(timeout, place),
            Verdict::Away(_) => true,
        };
        let likely = pace.is_request_likely();
        let wait = Wait {
            likely,
            turning_away,
            taken_in: reception.is_none() && self.transport.is_request_kept(),
            ..self.wait(timeout, place)
        };
        match self.wait_by_strategy(&wait) {
            Ok(Ready::TimedOut) => return Ok(Turn::TimedOut),
            Ok(Ready::Woken) => {
                self.core().acknowledge_wake();
                return Ok(Turn::Nothing);
            }
            // A stop goes before the next request, however many are waiting.
            Ok(Ready::Request) if self.core().is_stopping() => return Ok(Turn::Nothing),
            Ok(Ready::Request) => {}
            Err(error) => return self.stumble(pace, error),
        }
        // A strategy that panics costs the request that it was given, and has dropped.
        let processed = match reception {
            Some((reception, desk)) => reception
                .take_in(likely)
                .map(|request| drop(contain(|| self.serve_in_place(request, desk)))),
            None => self.take_in(turning_away, || self.get_request(), place),
        };
        match processed {
            Ok(()) => {
                pace.found(likely);
                Ok(Turn::Request)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                pace.missed(likely);
                if likely {
                    // A wrong guess is no turn: nothing came, and no time went by.
                    return self.turn(pace, reception, timeout, place);
                }
                if T::KIND == RequestKind::Message {
                    // It was said to be ready, and there is none: something else is to be read.
                    sys::datagram::discard_errors(self.transport.as_fd());
                }
                Ok(Turn::Nothing)
            }
            Err(error) => self.stumble(pace, error),
        }
    }

    /// Does what there is to do about an error of the listening socket, or of waiting for it.
    fn stumble(&self, pace: &mut Pace, error: io::Error) -> Result<Turn, Error> {
        let kind = AcceptErrorKind::of(&error);
        self.core().counters.count_accept_error(kind);
        log_accept_error(&self.core().address, kind, &error);
        let _ = contain(|| self.service.get_request_error(&error));
        match kind {
            AcceptErrorKind::Retry => pace.stumbled(),
            AcceptErrorKind::BackOff => {
                pace.back_off();
                if AcceptErrorKind::is_lack_of_descriptors(&error) {
                    pace.starve();
                }
            }
            AcceptErrorKind::Fatal => return Err(Error::Accept { source: error }),
        }
        Ok(Turn::Nothing)
    }

    /// For a loop that goes on: whether there is a better way to take requests in than `get_request`,
    /// as there can be where each is served before the next is taken.
    fn reception(&self, place: &Place) -> OwnReception<'_, T::Request> {
        // If it panics, it does so again for each request, and costs that.
        let in_place = contain(|| self.strategy.runs_in_place(place.is_own())).unwrap_or(false);
        let reception = || self.transport.reception(&self.handle, !place.is_own());
        let reception = in_place.then(reception).flatten()?;
        Some((reception, self.core().others.desk()))
    }

    /// Verifies a message and serves it right here.
    fn serve_in_place(&self, request: &mut T::Request, desk: &Desk) {
        let _busy = desk.begin(request.client_address().clone().into());
        let mut in_flight = InFlight::begin(self.core());
        if self.admit(request, &mut in_flight) {
            job::serve(request, &self.service, &mut in_flight);
        }
    }

    /// Verifies a request and has it run: by the strategy, or right here, if the strategy says so.
    pub(super) fn process_request(
        &self,
        request: T::Request,
        in_flight: InFlight<&Arc<Core>>,
        place: &Place,
    ) {
        let core = self.core();
        let mut in_flight = in_flight;
        if T::KIND == RequestKind::Message {
            in_flight.list(Other::now(request.client_address().clone().into()));
        }
        // Whatever waits for this client here keeps the loop from leaving; only a connection can be
        // cut off to end that, a message is here already.
        let can_be_cut = (T::KIND == RequestKind::Connection).then(|| core.connection_in_loop());
        // Declared after `in_flight`, so that it is closed before it is counted out.
        let mut request = request;
        if !self.admit(&mut request, &mut in_flight) {
            return;
        }
        if self.strategy.runs_in_place(place.is_own()) {
            job::serve(&mut request, &self.service, &mut in_flight);
            return;
        }
        // It is the strategy's now: what becomes of it does not hold up the loop.
        drop(can_be_cut);
        let service = Arc::clone(&self.service);
        let in_flight = in_flight.into_owned();
        let job = Job::new(request, service, in_flight, T::KIND, place.is_own());
        if let Err(rejected) = self.strategy.process_request(job) {
            rejected.close();
        }
    }

    /// Verifies a request; one that is turned away is shut down.
    fn admit(&self, request: &mut T::Request, in_flight: &mut InFlight<&Arc<Core>>) -> bool {
        let verdict = HandlerError::catch(Stage::VerifyRequest, || {
            Ok(self.service.verify_request(request))
        });
        in_flight.outcome = match verdict {
            Ok(true) => return true,
            Ok(false) => {
                self.log_refusal(request, Refusal::VerifyRequest);
                Outcome::Refused(Refusal::VerifyRequest)
            }
            Err(error) => {
                in_flight.outcome = Outcome::Failed;
                job::handle_error(&*self.service, request, &error);
                Outcome::Failed
            }
        };
        request.refuse(b"");
        false
    }

    pub(super) fn log_refusal(&self, request: &T::Request, reason: Refusal) {
        let (address, client) = (&self.core().address, request.client_address());
        log_event!(Debug, "{address}: {client} was refused: {reason:?}");
    }

    /// One request of the transport's. A panic of it, if it is not this crate's, is an error of that client.
    pub(super) fn get_request(&self) -> io::Result<T::Request> {
        let get_request = || self.transport.get_request(&self.handle);
        let kind = io::ErrorKind::ConnectionAborted;
        contain_io("Transport::get_request", kind, get_request)
    }

    /// Waits in the strategy's way. A panic of it is an error, which ends the loop as others do.
    pub(super) fn wait_by_strategy(&self, wait: &Wait<'_>) -> io::Result<Ready> {
        let waiting = || self.strategy.wait(wait);
        contain_io("Strategy::wait", io::ErrorKind::Other, waiting)
    }

    pub(super) fn wait<'a>(&'a self, timeout: Option<Duration>, place: &'a Place) -> Wait<'a> {
        Wait {
            listener: self.transport.as_fd(),
            handle: &self.handle,
            timeout,
            likely: false,
            taken_in: false,
            starved: false,
            turning_away: false,
            place,
        }
    }

    /// Tells the strategy, when the result is dropped, that this thread leaves the loop.
    pub(super) fn leave_on_drop<'a>(&'a self, place: &'a Place) -> impl Drop + 'a {
        LeaveOnDrop { of: self, place }
    }

    fn service_actions(&self) {
        let _ = contain(|| self.service.service_actions());
        let _ = contain(|| self.strategy.service_actions());
    }
}

/// Asks for a stop when it is dropped, by a panic too.
struct StopOnDrop<'a>(&'a Arc<Core>);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.request_stop();
    }
}

fn log_accept_error(address: &ServerAddress, kind: AcceptErrorKind, error: &io::Error) {
    match kind {
        AcceptErrorKind::Retry => log_event!(Debug, "{address}: a client was lost: {error}"),
        AcceptErrorKind::BackOff => log_event!(Warn, "{address}: cannot take clients in: {error}"),
        AcceptErrorKind::Fatal => log_event!(Error, "{address}: the socket is unusable: {error}"),
    }
}

/// See [`AcceptLoop::leave_on_drop`].
struct LeaveOnDrop<'a, T: Transport, S: Service<T::Request>> {
    of: &'a AcceptLoop<T, S>,
    place: &'a Place,
}

impl<T: Transport, S: Service<T::Request>> Drop for LeaveOnDrop<'_, T, S> {
    fn drop(&mut self) {
        let wait = self.of.wait(None, self.place);
        let _ = contain(|| self.of.strategy.leave(&wait));
    }
}

impl<T: Transport, S: Service<T::Request>> Clone for AcceptLoop<T, S> {
    fn clone(&self) -> Self {
        Self {
            transport: Arc::clone(&self.transport),
            service: Arc::clone(&self.service),
            strategy: Arc::clone(&self.strategy),
            handle: self.handle.clone(),
            poll_interval: self.poll_interval,
        }
    }
}
