//! The life cycle of a server: the state that the server, its handle and its requests share.

use std::borrow::Borrow;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::connections::Connections;
use super::limits::{Client, Limits};
use super::stats::{Counters, Outcome};
use crate::address::ServerAddress;
use crate::error::Error;
use crate::sys::condition::Monitor;
use crate::sys::fork::KeptPrivate;
use crate::sys::parked::prepare_for_forks;
use crate::sys::plea::{Home, Plea, plead};
use crate::sys::wake::Waker;

/// How long a stop waits for running requests, unless told otherwise.
pub(crate) const DEFAULT_GRACE: Duration = Duration::from_secs(2);

/// What every [`ServerHandle`](crate::ServerHandle) of a server points to.
///
/// The atomics are what the hot paths look at; [`Life`] is the truth, and changes of it are
/// announced. All orderings are `SeqCst`: a stop is decided by who sees whose store
/// first, and none of these is hot enough to argue about less.
pub(crate) struct Core {
    pub(crate) address: ServerAddress,
    pub(crate) counters: Counters,
    life: Monitor<Life>,
    /// `Life::stop`, for the accept loops.
    stopping: AtomicBool,
    /// The server is being closed, for good.
    closing: AtomicBool,
    /// Connections whose handler runs inside an accept loop, which cannot end before it does.
    in_loop: AtomicUsize,
    /// How many wait for the last running request to end.
    draining: AtomicUsize,
    /// Declared before what it is about: descriptors are on that list no longer than they are open.
    _private: KeptPrivate<2>,
    /// In the `poll` set of every accept loop.
    pub(crate) waker: Waker,
    pub(crate) connections: Connections,
    pub(crate) limits: Limits,
    /// What tells this server from all others, also from later ones.
    id: u64,
    /// What was asked of the parent last, in a child.
    pleaded: AtomicU64,
    /// How many `serve_forever`s have ended.
    ended_runs: AtomicU64,
    /// The process that this is of, and not a copy.
    home: Home,
}

/// Where the server is in its life.
struct Life {
    phase: Phase,
    /// A stop was asked for and not yet carried out.
    stop: bool,
    /// Which run of the accept loop this is, or was: somebody who waits for the end of one must not
    /// take the next for it.
    run: u64,
    grace: Duration,
    /// A thread watches over the grace period of the current stop.
    watched: bool,
}

impl Life {
    /// Whether this run of the accept loop is still going on.
    fn is_serving(&self, run: u64) -> bool {
        self.phase == Phase::Serving && self.run == run
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not serving yet: a stop is remembered for the run to come.
    New,
    /// `spawn` or `serve_forever` was called.
    Serving,
    /// Served before: a stop would come too late for that run, and must not end the next one.
    Served,
}

impl Core {
    pub(crate) fn new(address: ServerAddress) -> io::Result<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);

        prepare_for_forks();
        let waker = Waker::new()?;
        Ok(Self {
            address,
            counters: Counters::default(),
            life: Monitor::new(Life {
                phase: Phase::New,
                stop: false,
                run: 0,
                grace: DEFAULT_GRACE,
                watched: false,
            }),
            stopping: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            in_loop: AtomicUsize::new(0),
            draining: AtomicUsize::new(0),
            _private: waker.keep_private(),
            waker,
            connections: Connections::default(),
            limits: Limits::default(),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            pleaded: AtomicU64::new(0),
            ended_runs: AtomicU64::new(0),
            home: Home::here(),
        })
    }

    pub(crate) fn grace(&self) -> Duration {
        if self.is_copy() {
            return DEFAULT_GRACE;
        }
        self.life.lock().grace
    }

    pub(crate) fn set_grace(&self, grace: Duration) {
        self.life.lock().grace = grace;
    }

    // ---- serving ----

    /// Enters a run of the accept loop, which lasts until the result is dropped. A stop that was
    /// asked for before is still pending.
    pub(crate) fn begin_serving(self: &Arc<Self>, run: Run) -> Result<Serving, Error> {
        // In a forked child there is nothing to serve with: it is the parent's.
        if self.is_copy() {
            return Err(Error::AlreadyServing);
        }
        let mut life = self.life.lock();
        if life.phase == Phase::Serving {
            return Err(Error::AlreadyServing);
        }
        life.phase = Phase::Serving;
        life.run += 1;
        self.connections.begin_anew();
        Ok(Serving {
            core: Arc::clone(self),
            run,
        })
    }

    /// Whether a stop was asked for; the request is used up.
    pub(crate) fn consume_stop(&self) -> bool {
        let mut life = self.life.lock();
        let stop = life.stop;
        self.take_stop(&mut life);
        stop
    }

    fn take_stop(&self, life: &mut Life) {
        life.stop = false;
        self.stopping.store(false, Ordering::SeqCst);
        self.waker.drain();
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn begin_closing(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Takes back a wake-up that was meant for something else than a stop.
    pub(crate) fn acknowledge_wake(&self) {
        self.waker.drain();
        // A stop may have been asked for between the two lines: every accept loop must see it.
        if self.is_stopping() {
            self.waker.wake();
        }
    }

    // ---- stopping ----

    /// Asks the accept loops to leave. Never waits.
    pub(crate) fn request_stop(self: &Arc<Self>) {
        if self.is_copy() {
            return self.plead();
        }
        let life = self.life.lock();
        if life.phase != Phase::Served {
            self.stop(life);
        }
    }

    /// The same for a signal: what it asks for is remembered between two runs too.
    pub(crate) fn request_stop_by_signal(self: &Arc<Self>) {
        self.stop(self.life.lock());
    }

    fn stop(self: &Arc<Self>, mut life: MutexGuard<'_, Life>) {
        life.stop = true;
        self.stopping.store(true, Ordering::SeqCst);
        self.waker.wake();
        self.life.notify_all();
        drop(life);
        if self.in_loop.load(Ordering::SeqCst) > 0 {
            self.watch_grace();
        }
    }

    /// Waits until a stop is asked for, at most `timeout`. Returns whether one was.
    pub(crate) fn wait_for_stop(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let life = self.life.lock();
        self.life.wait_while(life, deadline, |life| !life.stop).1
    }

    /// Waits until no accept loop runs. `false` if that took longer than `timeout`.
    pub(crate) fn wait_until_stopped(&self, timeout: Option<Duration>) -> bool {
        if self.is_copy() {
            return false;
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let life = self.life.lock();
        let run = life.run;
        let serving = |life: &Life| life.is_serving(run);
        self.life.wait_while(life, deadline, serving).1
    }

    /// A handler that runs inside an accept loop keeps it from leaving, and nobody may be there
    /// to end its wait for an idle client: this makes sure that somebody is, once the grace
    /// period is over.
    fn watch_grace(self: &Arc<Self>) {
        let mut life = self.life.lock();
        if life.watched || life.phase != Phase::Serving {
            return;
        }
        life.watched = true;
        let run = life.run;
        let deadline = Instant::now().checked_add(life.grace);
        let core = Arc::clone(self);
        let watch = move || {
            let serving = |life: &Life| life.is_serving(run);
            // The lock is kept, so that it is this run whose connections are cut, not the next.
            let (_life, over) = core.life.wait_while(core.life.lock(), deadline, serving);
            if !over {
                core.connections.interrupt();
            }
        };
        let thread = std::thread::Builder::new().name("socketserver-grace".into());
        if thread.spawn(watch).is_err() {
            // No thread to wait with: better no grace than a server that cannot be stopped.
            self.connections.interrupt();
        }
    }

    // ---- children ----

    /// What tells this server from all others.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether this is the copy that a forked child has of a server of its parent.
    ///
    /// The locks in here may be held for ever then, by threads that the child does not have. None is
    /// taken: a stop is asked for in the parent, a wait for the end of a loop that is not here returns
    /// at once, closing closes nothing, and requests of a child are never counted out.
    pub(crate) fn is_copy(&self) -> bool {
        !self.home.is_here()
    }

    /// In a child: asks its parent to stop this server, once.
    fn plead(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let plea = self.plea();
        let mark = (Home::here().generation() << 32) + plea.run + 1;
        if self.pleaded.swap(mark, Ordering::SeqCst) != mark {
            plead(plea);
        }
    }

    /// What a child says to ask for a stop of this server, of the run that is going on or to come.
    fn plea(&self) -> Plea {
        Plea {
            server: self.id,
            run: self.ended_runs.load(Ordering::SeqCst),
        }
    }

    /// In the parent: does what a child has asked for, if it does not come too late.
    pub(crate) fn hear(plea: Plea) {
        let servers: Vec<_> = servers().iter().filter_map(Weak::upgrade).collect();
        if let Some(server) = servers.iter().find(|server| server.plea() == plea) {
            server.request_stop();
        }
    }

    /// Lets children ask for a stop of this server.
    pub(crate) fn enter(self: &Arc<Self>) {
        let mut servers = servers();
        servers.retain(|server| server.strong_count() > 0);
        servers.push(Arc::downgrade(self));
    }

    // ---- requests ----

    /// Marks that the calling accept loop serves a connection itself, until the result is dropped.
    #[inline]
    pub(crate) fn connection_in_loop(self: &Arc<Self>) -> InLoop<'_> {
        self.in_loop.fetch_add(1, Ordering::SeqCst);
        // Whoever asked for a stop just before this line did not see this connection yet.
        if self.is_stopping() {
            self.watch_grace();
        }
        InLoop { core: self }
    }

    /// How many requests are running or waiting for a thread.
    pub(crate) fn active(&self) -> usize {
        usize::try_from(self.counters.active()).unwrap_or(usize::MAX)
    }

    /// Waits until no request is running, or until `deadline`. Returns whether it came to that.
    pub(crate) fn wait_until_idle(&self, deadline: Option<Instant>) -> bool {
        self.draining.fetch_add(1, Ordering::SeqCst);
        let life = self.life.lock();
        let idle = self
            .life
            .wait_while(life, deadline, |_| self.active() > 0)
            .1;
        self.draining.fetch_sub(1, Ordering::SeqCst);
        idle
    }
}

/// The servers of this process. Held over a fork, so that it is free in the child.
pub(crate) fn servers() -> MutexGuard<'static, Vec<Weak<Core>>> {
    static SERVERS: Mutex<Vec<Weak<Core>>> = Mutex::new(Vec::new());
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a run of the accept loop ends by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// `serve_forever`: only by a stop.
    Forever,
    /// `handle_request`: after one request or its timeout. A stop that comes in between two of
    /// these is kept for the next.
    Once,
}

/// A run of the accept loop, as long as it lasts.
pub(crate) struct Serving {
    core: Arc<Core>,
    run: Run,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let mut life = self.core.life.lock();
        match self.run {
            Run::Forever => {
                life.phase = Phase::Served;
                self.core.ended_runs.fetch_add(1, Ordering::SeqCst);
                // Whatever made it end, a stop that was asked for meanwhile is carried out.
                self.core.take_stop(&mut life);
            }
            Run::Once => life.phase = Phase::New,
        }
        life.watched = false;
        self.core.life.notify_all();
    }
}

/// A request that was accepted and has not ended. It is counted in when this is made and out, by its
/// outcome, when it is dropped.
///
/// It owns its server's state if the request goes to another thread, and borrows it if not.
pub(crate) struct InFlight<C: Borrow<Arc<Core>> = Arc<Core>> {
    core: C,
    pub(crate) outcome: Outcome,
    /// Whose it is, if that is counted.
    pub(super) client: Option<Client>,
}

impl<C: Borrow<Arc<Core>>> InFlight<C> {
    #[inline]
    pub(crate) fn begin(core: C) -> Self {
        core.borrow().counters.count_accepted();
        Self {
            core,
            outcome: Outcome::Dropped,
            client: None,
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        self.core.borrow()
    }
}

impl InFlight<&Arc<Core>> {
    /// The same request, for another thread.
    pub(crate) fn into_owned(self) -> InFlight {
        let owned = InFlight {
            core: Arc::clone(self.core),
            outcome: self.outcome,
            client: self.client,
        };
        // It goes on, so it is not counted out; there is nothing in it that needs to be dropped.
        std::mem::forget(self);
        owned
    }
}

impl<C: Borrow<Arc<Core>>> Drop for InFlight<C> {
    fn drop(&mut self) {
        let core = self.core();
        if let Some(client) = self.client {
            core.limits.leave(client);
        }
        core.counters.count_ended(self.outcome);
        core.limits.announce_place(core);
        if core.draining.load(Ordering::SeqCst) > 0 {
            // The lock orders this after the waiter's look at the count.
            drop(core.life.lock());
            core.life.notify_all();
        }
    }
}

/// A connection that is served inside an accept loop.
pub(crate) struct InLoop<'a> {
    core: &'a Core,
}

impl Drop for InLoop<'_> {
    fn drop(&mut self) {
        self.core.in_loop.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn core_that_served() -> Arc<Core> {
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let core = Arc::new(Core::new(address.into()).unwrap());
        drop(core.begin_serving(Run::Forever).unwrap());
        core
    }

    #[test]
    fn between_two_runs_a_stop_is_too_late_but_a_signal_is_not() {
        let core = core_that_served();
        core.request_stop();
        let run = core.begin_serving(Run::Forever).unwrap();
        assert!(!core.is_stopping());
        drop(run);
        core.request_stop_by_signal();
        let run = core.begin_serving(Run::Forever).unwrap();
        assert!(core.is_stopping());
        drop(run);
        assert!(
            !core.is_stopping(),
            "the signal ended that run, and not the one after it"
        );
    }

    #[test]
    fn only_one_run_goes_on_at_a_time() {
        let core = core_that_served();
        let run = core.begin_serving(Run::Once).unwrap();
        assert!(core.begin_serving(Run::Forever).is_err());
        assert!(!core.wait_until_stopped(Some(Duration::ZERO)));
        drop(run);
        assert!(core.wait_until_stopped(None));
    }
}
