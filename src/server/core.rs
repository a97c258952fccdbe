//! The state that the server, its handle and its requests share.

use std::borrow::Borrow;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use super::connections::Connections;
use super::life::{LifeCycle, Patience, Run, Stop};
use super::limits::{Client, Limits};
use super::others::{Listed, Other, Others};
use super::reserve::Reserve;
use super::stats::{Counters, Outcome, Stats};
use crate::address::ServerAddress;
use crate::error::Error;
use crate::logging::log_event;
use crate::request::{LiveConnection, RequestInfo, Sender};
use crate::sys::fork::KeptPrivate;
use crate::sys::parked::prepare_for_forks;
use crate::sys::plea::{Home, Plea, plead};
use crate::sys::wake::Waker;

/// What every [`ServerHandle`](crate::ServerHandle) of a server points to.
pub(crate) struct Core {
    pub(crate) address: ServerAddress,
    pub(crate) counters: Counters,
    pub(crate) life: LifeCycle<Stats>,
    /// Connections whose handler runs inside an accept loop, which cannot end before it does.
    in_loop: AtomicUsize,
    /// How many wait for running requests to end.
    draining: AtomicUsize,
    /// Declared before what it is about: descriptors are on that list no longer than they are open.
    _private: KeptPrivate<2>,
    /// In the `poll` set of every accept loop.
    pub(crate) waker: Waker,
    pub(crate) connections: Connections,
    pub(crate) limits: Limits,
    pub(crate) others: Arc<Others>,
    pub(crate) reserve: Reserve,
    /// Those that the current stop has cut off, and that have ended since.
    interrupted: parking_lot::Mutex<Vec<RequestInfo>>,
    /// What tells this server from all others, also from later ones.
    id: u64,
    /// What was asked of the parent last, in a child.
    pleaded: AtomicU64,
    /// The process that this is of, and not a copy.
    home: Home,
}

impl Core {
    pub(crate) fn new(address: ServerAddress) -> io::Result<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);

        prepare_for_forks();
        let waker = Waker::new()?;
        Ok(Self {
            address,
            counters: Counters::default(),
            life: LifeCycle::new(),
            in_loop: AtomicUsize::new(0),
            draining: AtomicUsize::new(0),
            _private: waker.keep_private(),
            waker,
            connections: Connections::default(),
            limits: Limits::default(),
            others: Arc::default(),
            reserve: Reserve::default(),
            interrupted: parking_lot::Mutex::default(),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            pleaded: AtomicU64::new(0),
            home: Home::here(),
        })
    }

    pub(crate) fn patience(&self) -> Patience {
        if self.is_copy() {
            return Patience::DEFAULT;
        }
        self.life.patience()
    }

    // ---- serving ----

    /// Enters a run of the accept loop, which lasts until the result is dropped. A stop that was
    /// asked for before is still pending.
    pub(crate) fn begin_serving(self: &Arc<Self>, run: Run) -> Result<Serving, Error> {
        // In a forked child there is nothing to serve with: it is the parent's.
        if self.is_copy() || !self.life.begin_run(run) {
            return Err(Error::AlreadyServing);
        }
        self.interrupted.lock().clear();
        Ok(Serving(Arc::clone(self)))
    }

    /// Whether a stop was asked for; the request is used up.
    pub(crate) fn consume_stop(&self) -> bool {
        self.life.consume_stop(|| self.waker.drain())
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.life.is_stopping()
    }

    /// Takes back a wake-up that was meant for something else than a stop.
    pub(crate) fn acknowledge_wake(&self) {
        self.waker.drain();
        // A stop may have been asked for between the two lines: every accept loop must see it. While the server
        // is being closed there is nothing to be seen, and who looks after the queue has to wait.
        if self.is_stopping() && !self.life.is_serving_queue() {
            self.waker.wake();
        }
    }

    // ---- stopping ----

    /// Asks the accept loops to leave. Never waits.
    pub(crate) fn request_stop(self: &Arc<Self>) {
        if self.is_copy() {
            return self.plead();
        }
        self.stop(false);
    }

    /// The same for a signal: what it asks for is remembered between two runs too.
    pub(crate) fn request_stop_by_signal(self: &Arc<Self>) {
        self.stop(true);
    }

    fn stop(self: &Arc<Self>, by_signal: bool) {
        let stop = self
            .life
            .stop(by_signal, || self.waker.wake(), || self.stats());
        if matches!(stop, Stop::Asked | Stop::Later { .. }) {
            log_event!(Info, "{}: a stop was asked for", self.address);
        }
        match stop {
            Stop::Asked | Stop::Again => self.watch_those_in_loop(),
            Stop::Later { run } => {
                let time = self.life.patience().lame_duck;
                log_event!(Info, "{}: a lame duck for {time:?}", self.address);
                let core = Arc::clone(self);
                let later = move || core.finish_lame_duck(run, false);
                if thread("socketserver-lame-duck", later).is_err() {
                    // No thread to wait with: better at once than never.
                    self.finish_lame_duck(run, true);
                }
            }
            Stop::Ignored => {}
        }
    }

    fn finish_lame_duck(self: &Arc<Self>, run: u64, once: bool) {
        let finished = self
            .life
            .finish_lame_duck(run, once, || self.waker.wake(), || self.stats());
        if finished {
            self.watch_those_in_loop();
        }
    }

    fn watch_those_in_loop(self: &Arc<Self>) {
        if self.in_loop.load(Ordering::SeqCst) > 0 {
            self.watch_grace();
        }
    }

    /// Waits until no accept loop runs. `false` if that takes longer than until `deadline`.
    pub(crate) fn wait_until_stopped(&self, deadline: Option<Instant>) -> bool {
        !self.is_copy() && self.life.wait_until_stopped(deadline)
    }

    /// When whoever waits for the end of the accept loops, after a stop, gives up.
    pub(crate) fn loops_given_up_at(&self) -> Option<Instant> {
        let patience = self.life.patience();
        let cut = self.life.cut_at();
        cut.and_then(|cut| cut.checked_add(patience.closing))
    }

    /// A handler that runs inside an accept loop keeps it from leaving, and nobody may be there
    /// to end its wait for an idle client: this makes sure that somebody is, once the grace
    /// period is over.
    fn watch_grace(self: &Arc<Self>) {
        let Some(run) = self.life.claim_watch() else {
            return;
        };
        let core = Arc::clone(self);
        let watch = move || core.life.watch(run, || core.connections.cut());
        if thread("socketserver-grace", watch).is_err() {
            // No thread to wait with: better no grace than a server that cannot be stopped.
            self.connections.cut();
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
        self.life.mark_stopped();
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
            run: self.life.ended_runs(),
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
        if self.is_stopping() || self.life.is_closing() {
            self.watch_grace();
        }
        InLoop { core: self }
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.counters.stats();
        // In a child, the registry may be locked for ever.
        if !self.is_copy() {
            let (received, sent) = self.connections.bytes();
            stats.bytes_received += received;
            stats.bytes_sent += sent;
        }
        stats
    }

    /// Those that are running or waiting for a thread now.
    pub(crate) fn requests(&self) -> Vec<RequestInfo> {
        if self.is_copy() {
            return Vec::new();
        }
        let live = self.connections.live();
        let mut requests: Vec<_> = live
            .iter()
            .filter(|connection| !connection.vitals().has_ended())
            .map(info_with_sender)
            .collect();
        requests.extend(self.others.infos());
        requests
    }

    /// Notes a request that has ended because it was cut off. It is for the report of a stop; without
    /// one, nobody asks.
    pub(crate) fn note_interrupted(&self, request: impl FnOnce() -> Option<RequestInfo>) {
        if self.life.is_shutting_down() && !self.is_copy() {
            self.interrupted.lock().extend(request());
        }
    }

    pub(crate) fn interrupted(&self) -> Vec<RequestInfo> {
        self.interrupted.lock().clone()
    }

    /// How many requests are running or waiting for a thread.
    pub(crate) fn active(&self) -> usize {
        usize::try_from(self.counters.active()).unwrap_or(usize::MAX)
    }

    /// Waits until no request is running, or until `deadline`. Returns whether it came to that.
    pub(crate) fn wait_until_idle(&self, deadline: Option<Instant>) -> bool {
        self.draining.fetch_add(1, Ordering::SeqCst);
        let idle = self.life.wait_while(deadline, || self.active() > 0);
        self.draining.fetch_sub(1, Ordering::SeqCst);
        idle
    }

    /// Wakes the loop that serves the last clients whenever a request ends, until the result is dropped.
    pub(crate) fn loop_drains(&self) -> LoopDrains<'_> {
        self.draining.fetch_add(1, Ordering::SeqCst);
        self.life.serve_queue(true);
        LoopDrains(self)
    }

    /// Tells those who wait for running requests that one has ended.
    #[cold]
    fn announce_end(&self) {
        self.life.announce();
        // A loop is woken by other means.
        if self.life.is_serving_queue() {
            self.waker.wake();
        }
    }

    /// A descriptor of this server was closed: perhaps a loop waits for one.
    #[inline]
    pub(crate) fn announce_descriptor(&self) {
        if self.reserve.is_awaited() {
            self.waker.wake();
        }
    }
}

/// What is known about a connection, and the means to write to it.
pub(super) fn info_with_sender(connection: &Arc<dyn LiveConnection>) -> RequestInfo {
    RequestInfo {
        sender: Some(Sender::stream(Arc::downgrade(connection))),
        ..connection.info()
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.into());
    thread.spawn(work).map(drop)
}

/// The servers of this process. Held over a fork, so that it is free in the child.
pub(crate) fn servers() -> MutexGuard<'static, Vec<Weak<Core>>> {
    static SERVERS: Mutex<Vec<Weak<Core>>> = Mutex::new(Vec::new());
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run of the accept loop, as long as it lasts.
pub(crate) struct Serving(Arc<Core>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.life.end_run(|| self.0.waker.drain());
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
    /// Where it is listed, if it is no live connection of this process.
    listed: Option<Listed>,
    /// Its connection was cut before it was left to another process.
    pub(crate) was_cut: bool,
}

impl<C: Borrow<Arc<Core>>> InFlight<C> {
    #[inline]
    pub(crate) fn begin(core: C) -> Self {
        core.borrow().counters.count_accepted();
        Self {
            core,
            outcome: Outcome::Dropped,
            client: None,
            listed: None,
            was_cut: false,
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        self.core.borrow()
    }

    /// Has it listed until it ends.
    pub(crate) fn list(&mut self, other: Other) {
        self.listed = Some(self.core().others.list(other));
    }

    /// It runs in another process.
    pub(crate) fn set_process(&self, process: u32) {
        if let Some(listed) = &self.listed {
            listed.set_process(process);
        }
    }

    /// It has ended, because it was cut off, or told to.
    pub(crate) fn interrupted(&mut self, request: impl FnOnce() -> Option<RequestInfo>) {
        self.outcome = Outcome::Interrupted;
        self.core().note_interrupted(|| match &self.listed {
            Some(listed) => listed.info(),
            None => request(),
        });
    }
}

impl InFlight<&Arc<Core>> {
    /// The same request, for another thread.
    pub(crate) fn into_owned(mut self) -> InFlight {
        let owned = InFlight {
            core: Arc::clone(self.core),
            outcome: self.outcome,
            client: self.client,
            listed: self.listed.take(),
            was_cut: self.was_cut,
        };
        // It goes on, so it is not counted out; there is nothing left in it to be dropped.
        std::mem::forget(self);
        owned
    }
}

impl<C: Borrow<Arc<Core>>> Drop for InFlight<C> {
    fn drop(&mut self) {
        drop(self.listed.take());
        let core = self.core();
        if let Some(client) = self.client {
            core.limits.leave(client);
        }
        core.counters.count_ended(self.outcome);
        core.limits.announce_place(core);
        if core.draining.load(Ordering::SeqCst) > 0 {
            core.announce_end();
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

/// A loop that serves those who wait in the queue of a server that is being closed.
pub(crate) struct LoopDrains<'a>(&'a Core);

impl Drop for LoopDrains<'_> {
    fn drop(&mut self) {
        self.0.life.serve_queue(false);
        self.0.draining.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;
    use crate::sys::poll::wait_readable;

    /// It would end every wait of the one who looks after the queue, at once, for as long as that takes.
    #[test]
    fn a_stop_that_was_asked_for_before_is_over_when_the_server_is_closed() {
        let address = crate::address::UnixAddress::Unnamed.into();
        let core = Arc::new(Core::new(address).unwrap());
        core.request_stop();
        let _drains = core.loop_drains();
        core.acknowledge_wake();
        let pending = wait_readable([core.waker.as_fd()], Some(Duration::ZERO));
        assert_eq!(pending.unwrap(), [false]);
    }
}
