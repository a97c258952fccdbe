//! The thread on which connections are while they are in their handshake.
//!
//! A strategy of few threads or processes would be full of clients that have connected and say nothing. With such
//! a strategy, a connection is on this thread from its accept to the end of its handshake, and reaches the
//! strategy afterwards. Strategies for which a waiting connection costs little complete the handshake where the
//! request runs: see [`Scheduling::waits_cheaply`](crate::strategy::Scheduling::waits_cheaply).
//!
//! Life of a connection: [`add`](Handshakes::add) passes it to the thread, which advances the handshake whenever
//! the client allows it. A failed handshake ends there. A completed one waits in a queue until an accept loop
//! [takes](Handshakes::take_completed) it.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use parking_lot::Mutex;
use slab::Slab;

use crate::job;
use crate::panics::{catch_panic, catch_panic_io};
use crate::reentrancy::{self, Role};
use crate::request::{HandshakeStep, Request};
use crate::service::Service;
use crate::state::counters::Outcome;
use crate::state::{Activity, ConnectionState, InFlight, ServerHandle};
use crate::sys::close_on_fork::{CloseOnFork, close_on_fork};
use crate::sys::fd::AsFd;
use crate::sys::fork_gate::parked;
use crate::sys::interrupt::{self, ExpectedEnd, Notify};
use crate::sys::poll::Direction;
use crate::sys::poller::{Poller, Watch};
use crate::sys::waker::Waker;

/// Key of the waker in the poller.
const WAKER: u64 = u64::MAX;

/// The connections of one server that are in their handshake, or have completed it and wait for an accept loop.
pub(super) struct Handshakes<R: Request> {
    shared: Arc<Shared<R>>,
}

struct Shared<R> {
    /// Connections that the thread has not seen yet.
    inbox: Mutex<Inbox<R>>,
    completed: Mutex<VecDeque<Connection<R>>>,
    /// Length of `completed`, for a look without the lock.
    completed_count: AtomicUsize,
    /// Connections that are not in `completed` yet.
    unfinished: Arc<AtomicUsize>,
    /// Keys of waiting connections that were shut down, where the poller does not report this.
    shut_down: Mutex<Vec<usize>>,
    /// Set while `inbox` is locked.
    is_closed: AtomicBool,
}

struct Inbox<R> {
    arrived: Vec<Connection<R>>,
    /// Ends the wait of the thread. `None` before the first connection.
    waker: Option<Arc<Waker>>,
}

/// A connection, counted as in flight.
pub(super) struct Connection<R> {
    // Dropped first: the descriptor must leave the list before it is closed.
    _close_on_fork: Option<CloseOnFork<1>>,
    /// `None` in the queue for the accept loops. Dropped before `in_flight`, whose end wakes a loop that waits for
    /// the last unfinished connection.
    unfinished: Option<Unfinished>,
    request: R,
    in_flight: InFlight,
}

/// Counts a connection as unfinished until it is dropped.
struct Unfinished(Arc<AtomicUsize>);

impl Unfinished {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<R: Request> Handshakes<R> {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                inbox: Mutex::new(Inbox {
                    arrived: Vec::new(),
                    waker: None,
                }),
                completed: Mutex::default(),
                completed_count: AtomicUsize::new(0),
                unfinished: Arc::default(),
                shut_down: Mutex::default(),
                is_closed: AtomicBool::new(false),
            }),
        }
    }

    /// Passes a connection to the thread, which is started for the first. Ends it if the thread was closed.
    ///
    /// # Errors
    ///
    /// The connection, if the system does not provide the thread or its descriptors.
    pub(super) fn add<S: Service<R>>(
        &self,
        request: R,
        in_flight: InFlight,
        service: &Arc<S>,
        handle: &ServerHandle,
    ) -> Result<(), Box<(R, InFlight, io::Error)>> {
        let shared = &self.shared;
        let mut inbox = shared.inbox.lock();
        let waker = match &inbox.waker {
            Some(waker) => Arc::clone(waker),
            None => match self.start(service, handle) {
                Ok(waker) => waker,
                Err(error) => return Err(Box::new((request, in_flight, error))),
            },
        };
        inbox.waker = Some(Arc::clone(&waker));
        let descriptor = request.descriptor();
        let close_on_fork = descriptor.map(|descriptor| close_on_fork([&descriptor], None));
        let connection = Connection {
            _close_on_fork: close_on_fork,
            unfinished: Some(Unfinished::begin(&shared.unfinished)),
            request,
            in_flight,
        };
        if shared.is_closed.load(Ordering::SeqCst) {
            drop(inbox);
            connection.force_close();
            return Ok(());
        }
        inbox.arrived.push(connection);
        drop(inbox);
        waker.wake();
        Ok(())
    }

    fn start<S: Service<R>>(
        &self,
        service: &Arc<S>,
        handle: &ServerHandle,
    ) -> io::Result<Arc<Waker>> {
        let waker = Arc::new(Waker::new()?);
        let poller = Poller::new()?;
        poller.add(waker.as_fd(), WAKER, Watch::Level)?;
        let worker = Worker {
            shared: Arc::clone(&self.shared),
            service: Arc::clone(service),
            handle: handle.clone(),
            _close_on_fork: waker.close_on_fork(),
            waker: Arc::clone(&waker),
            poller,
            waiting: Slab::new(),
            checks: BTreeSet::new(),
            seen_ends: 0,
        };
        let builder = thread::Builder::new().name("socketserver-handshakes".into());
        builder.spawn(move || worker.run())?;
        handle.0.connections.wake_at_stop(Arc::clone(&waker));
        Ok(waker)
    }

    /// Returns whether a connection waits for an accept loop.
    #[inline]
    pub(super) fn has_completed(&self) -> bool {
        self.shared.completed_count.load(Ordering::SeqCst) > 0
    }

    /// Returns whether a connection is in its handshake, or waits for an accept loop.
    pub(super) fn has_any(&self) -> bool {
        self.shared.unfinished.load(Ordering::SeqCst) > 0 || self.has_completed()
    }

    /// Takes a connection whose handshake is complete.
    pub(super) fn take_completed(&self) -> Option<Connection<R>> {
        let mut completed = self.shared.completed.lock();
        let connection = completed.pop_front()?;
        self.shared
            .completed_count
            .store(completed.len(), Ordering::SeqCst);
        Some(connection)
    }

    /// Ends the connections that are left, as force-closed.
    pub(super) fn close(&self) {
        let inbox = self.shared.inbox.lock();
        self.shared.is_closed.store(true, Ordering::SeqCst);
        let waker = inbox.waker.clone();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
        while let Some(connection) = self.take_completed() {
            connection.force_close();
        }
    }
}

impl<R: Request> Drop for Handshakes<R> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<R: Request> Shared<R> {
    /// Returns a function that makes the thread resume a connection because it was shut down.
    fn notify_of_shutdown(self: &Arc<Self>, key: usize, waker: &Arc<Waker>) -> Notify {
        let (shared, waker) = (Arc::clone(self), Arc::clone(waker));
        Box::new(move || {
            shared.shut_down.lock().push(key);
            waker.wake();
        })
    }
}

impl<R: Request> Connection<R> {
    /// Returns the request, which forked children keep from now on.
    pub(super) fn into_parts(self) -> (R, InFlight) {
        let Self {
            _close_on_fork: close_on_fork,
            request,
            in_flight,
            ..
        } = self;
        drop(close_on_fork);
        (request, in_flight)
    }

    fn set_activity(&self, activity: Activity) {
        if let Some(state) = self.request.connection_state() {
            state.set_activity(activity);
        }
    }

    /// Ends the request without a handler.
    fn end(mut self, outcome: Outcome) {
        let _ = catch_panic(|| job::end(&mut self.request, &mut self.in_flight, outcome));
        let _ = catch_panic(|| drop(self));
    }

    fn force_close(self) {
        if let Some(state) = self.request.connection_state() {
            state.mark_force_closed();
        }
        self.end(Outcome::ForceClosed);
    }
}

/// The thread.
struct Worker<R: Request, S> {
    shared: Arc<Shared<R>>,
    service: Arc<S>,
    handle: ServerHandle,
    /// Keeps the descriptors of the waker out of forked children.
    _close_on_fork: CloseOnFork<2>,
    waker: Arc<Waker>,
    poller: Poller,
    waiting: Slab<Waiting<R>>,
    /// Times when waiting connections are to be looked at, with their keys.
    checks: BTreeSet<(Instant, usize)>,
    /// Number of times that the server had ended connections when all were looked at last.
    seen_ends: u64,
}

/// A connection whose client has to send or to receive something.
struct Waiting<R> {
    connection: Connection<R>,
    next_check: Option<Instant>,
    _expected_end: Option<ExpectedEnd>,
}

/// Lets a fork begin that waits for this thread.
fn let_fork() {
    parked(|| ());
}

impl<R: Request, S: Service<R>> Worker<R, S> {
    fn run(mut self) {
        while !self.shared.is_closed.load(Ordering::SeqCst) {
            let (ready, is_woken) = self.wait();
            for key in ready {
                if let Some(connection) = self.take(key) {
                    self.advance(connection);
                    let_fork();
                }
            }
            if is_woken {
                self.waker.drain();
                let arrived = mem::take(&mut self.shared.inbox.lock().arrived);
                for connection in arrived {
                    self.advance(connection);
                    let_fork();
                }
                self.resume_ended();
                let shut_down = mem::take(&mut *self.shared.shut_down.lock());
                for key in shut_down {
                    self.resume(key);
                }
            }
            self.resume_due();
        }
        let arrived = mem::take(&mut self.shared.inbox.lock().arrived);
        let waiting = mem::take(&mut self.waiting);
        let waiting = waiting.into_iter().map(|(_, waiting)| waiting.connection);
        drop(self.poller);
        for mut connection in waiting.chain(arrived) {
            connection.unfinished = None;
            let _ = catch_panic(|| connection.force_close());
        }
    }

    /// Waits until a connection is ready or to be looked at, or until the thread is woken.
    fn wait(&self) -> (Vec<usize>, bool) {
        let next = self.checks.first().map(|(time, _)| *time);
        let timeout = next.map(|time| time.saturating_duration_since(Instant::now()));
        let mut ready = Vec::new();
        let mut is_woken = false;
        let waited = parked(|| {
            self.poller.wait(timeout, |event| match event.key {
                WAKER => is_woken = true,
                key => ready.extend(usize::try_from(key)),
            })
        });
        // Looks at everything if the wait fails, for example for lack of memory.
        is_woken |= waited.is_err();
        (ready, is_woken)
    }

    fn take(&mut self, key: usize) -> Option<Connection<R>> {
        let waiting = self.waiting.try_remove(key)?;
        if let Some(time) = waiting.next_check {
            self.checks.remove(&(time, key));
        }
        Some(waiting.connection)
    }

    /// Resumes a connection that the poller still watches.
    fn resume(&mut self, key: usize) {
        let Some(connection) = self.take(key) else {
            return;
        };
        let _ = catch_panic(|| {
            if let Some(descriptor) = connection.request.descriptor() {
                self.poller.remove(descriptor, key as u64);
            }
        });
        self.advance(connection);
    }

    /// Resumes the connections that a stop or a lack of descriptors has ended, if any were since the last call.
    fn resume_ended(&mut self) {
        let ends = self.handle.0.connections.ends();
        if mem::replace(&mut self.seen_ends, ends) == ends {
            return;
        }
        let is_draining = self.handle.0.life_cycle.is_draining();
        let has_ended = |waiting: &Waiting<R>| {
            let state = waiting.connection.request.connection_state();
            let is_ended = |state: &ConnectionState| state.is_force_closed() || state.is_evicted();
            is_draining || state.is_some_and(is_ended)
        };
        let ended: Vec<_> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| has_ended(waiting))
            .map(|(key, _)| key)
            .collect();
        for key in ended {
            self.resume(key);
        }
    }

    /// Resumes the connections that are to be looked at now. Most of them have no time left, and fail.
    fn resume_due(&mut self) {
        let now = Instant::now();
        while let Some(&(time, key)) = self.checks.first()
            && time <= now
        {
            self.resume(key);
        }
    }

    /// A panic costs only this connection.
    fn advance(&mut self, connection: Connection<R>) {
        let _ = catch_panic(|| self.try_advance(connection));
    }

    fn try_advance(&mut self, mut connection: Connection<R>) {
        let request = &mut connection.request;
        let step = catch_panic_io("StreamSocket::handshake", io::ErrorKind::Other, || {
            request.advance_handshake()
        });
        match step {
            Ok(HandshakeStep::Done) => self.complete(connection),
            Ok(step) => self.suspend(connection, step),
            Err(error) => self.fail(connection, error),
        }
    }

    fn complete(&self, mut connection: Connection<R>) {
        connection.set_activity(Activity::Queued);
        let unfinished = connection.unfinished.take();
        let mut completed = self.shared.completed.lock();
        if self.shared.is_closed.load(Ordering::SeqCst) {
            drop((completed, unfinished));
            return connection.force_close();
        }
        completed.push_back(connection);
        self.shared
            .completed_count
            .store(completed.len(), Ordering::SeqCst);
        drop((completed, unfinished));
        self.handle.0.waker.wake();
    }

    fn suspend(&mut self, connection: Connection<R>, step: HandshakeStep) {
        connection.set_activity(Activity::Handshaking);
        let next_check = connection.request.next_handshake_check();
        let entry = self.waiting.vacant_entry();
        let key = entry.key();
        let watch = Watch::OneShot {
            readable: step == HandshakeStep::WantRead,
            writable: step == HandshakeStep::WantWrite,
        };
        let Some(descriptor) = connection.request.descriptor() else {
            return self.fail(connection, io::ErrorKind::Unsupported.into());
        };
        if let Err(error) = self.poller.set(descriptor, key as u64, watch) {
            return self.fail(connection, error);
        }
        let direction = match step {
            HandshakeStep::WantWrite => Direction::Send,
            _ => Direction::Receive,
        };
        let notify = || self.shared.notify_of_shutdown(key, &self.waker);
        let expected_end = interrupt::expect_end(descriptor, direction, notify);
        if expected_end.is_none() {
            notify()();
        }
        entry.insert(Waiting {
            connection,
            next_check,
            _expected_end: expected_end,
        });
        self.checks.extend(next_check.map(|time| (time, key)));
    }

    fn fail(&self, mut connection: Connection<R>, error: io::Error) {
        // A hook of the user that waits for the end of the server's requests would wait for this one.
        let _entered = reentrancy::enter(self.handle.0.id(), Role::Request);
        let outcome = job::handshake::failed(&mut connection.request, &*self.service, error);
        connection.end(outcome);
    }
}
