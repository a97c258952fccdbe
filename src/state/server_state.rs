//! The state of one server.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use crate::address::SocketAddress;
use crate::error::Error;
use crate::logging::log_event;
use crate::state::connectionless::ConnectionlessRequests;
use crate::state::connections::Connections;
use crate::state::counters::Counters;
use crate::state::descriptor_reserve::DescriptorReserve;
use crate::state::in_flight::InLoop;
use crate::state::life_cycle::{LifeCycle, RunKind, Stop};
use crate::state::limits::{LimitConfig, Limits};
use crate::state::sender::LiveConnection;
use crate::state::{RequestInfo, Sender, ShutdownConfig, Stats};
use crate::sys::child_channel::{OriginProcess, StopRequest, send_stop_request};
use crate::sys::close_on_fork::CloseOnFork;
use crate::sys::fork_gate::prepare_for_forks;
use crate::sys::waker::Waker;

/// What every [`ServerHandle`](crate::ServerHandle) of a server points to.
pub(crate) struct ServerState {
    pub(crate) address: SocketAddress,
    pub(crate) counters: Counters,
    pub(crate) life_cycle: LifeCycle<Stats>,
    /// Connections whose handler runs inside an accept loop, which cannot end before it does.
    pub(super) in_loop: AtomicUsize,
    /// How many wait for running requests to end.
    pub(super) draining: AtomicUsize,
    /// Declared before what it is about: descriptors are on that list no longer than they are open.
    _private: CloseOnFork<2>,
    /// In the `poll` set of every accept loop.
    pub(crate) waker: Waker,
    pub(crate) connections: Connections,
    pub(crate) limits: Limits,
    pub(crate) connectionless: Arc<ConnectionlessRequests>,
    pub(crate) reserve: DescriptorReserve,
    /// Those that the current stop has cut off, and that have ended since.
    force_closed: parking_lot::Mutex<Vec<RequestInfo>>,
    /// What tells this server from all others, also from later ones.
    id: u64,
    /// What was asked of the parent last, in a child.
    last_stop_request: AtomicU64,
    /// The process that this is of, and not a copy.
    home: OriginProcess,
}

impl ServerState {
    pub(crate) fn new(address: SocketAddress, limits: LimitConfig) -> io::Result<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);

        prepare_for_forks();
        let waker = Waker::new()?;
        Ok(Self {
            address,
            counters: Counters::default(),
            life_cycle: LifeCycle::new(),
            in_loop: AtomicUsize::new(0),
            draining: AtomicUsize::new(0),
            _private: waker.close_on_fork(),
            waker,
            connections: Connections::default(),
            limits: Limits::new(limits),
            connectionless: Arc::default(),
            reserve: DescriptorReserve::default(),
            force_closed: parking_lot::Mutex::default(),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            last_stop_request: AtomicU64::new(0),
            home: OriginProcess::here(),
        })
    }

    pub(crate) fn shutdown_config(&self) -> ShutdownConfig {
        if self.in_forked_child() {
            return ShutdownConfig::DEFAULT;
        }
        self.life_cycle.shutdown_config()
    }

    // ---- serving ----

    /// Enters a run of the accept loop, which lasts until the result is dropped. A stop that was
    /// asked for before is still pending.
    pub(crate) fn begin_serving(self: &Arc<Self>, run: RunKind) -> Result<Serving, Error> {
        // In a forked child there is nothing to serve with: it is the parent's.
        if self.in_forked_child() || !self.life_cycle.begin_run(run) {
            return Err(Error::AlreadyServing);
        }
        self.force_closed.lock().clear();
        Ok(Serving(Arc::clone(self)))
    }

    /// Whether a stop was asked for; the request is used up.
    pub(crate) fn consume_stop(&self) -> bool {
        self.life_cycle.consume_stop(|| self.waker.drain())
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.life_cycle.is_stopping()
    }

    /// Takes back a wake-up that was meant for something else than a stop.
    pub(crate) fn acknowledge_wake(&self) {
        self.waker.drain();
        // A stop may have been asked for between the two lines: every accept loop must see it. While the server
        // is being closed there is nothing to be seen, and who looks after the queue has to wait.
        if self.is_stopping() && !self.life_cycle.is_serving_queue() {
            self.waker.wake();
        }
    }

    // ---- stopping ----

    /// Asks the accept loops to leave. Never waits.
    pub(crate) fn request_stop(self: &Arc<Self>) {
        if self.in_forked_child() {
            return self.send_stop_request();
        }
        self.stop(false);
    }

    /// The same for a signal: what it asks for is remembered between two runs too.
    pub(crate) fn request_stop_by_signal(self: &Arc<Self>) {
        self.stop(true);
    }

    fn stop(self: &Arc<Self>, by_signal: bool) {
        let stop = self
            .life_cycle
            .stop(by_signal, || self.waker.wake(), || self.stats());
        if matches!(stop, Stop::Requested | Stop::Deferred { .. }) {
            log_event!(Info, "{}: a stop was asked for", self.address);
        }
        match stop {
            Stop::Requested | Stop::AlreadyRequested => self.watch_those_in_loop(),
            Stop::Deferred { run } => {
                let time = self.life_cycle.shutdown_config().lame_duck;
                log_event!(Info, "{}: a lame duck for {time:?}", self.address);
                let state = Arc::clone(self);
                let later = move || state.finish_lame_duck(run, false);
                if thread("socketserver-lame-duck", later).is_err() {
                    // No thread to wait with: better at once than never.
                    self.finish_lame_duck(run, true);
                }
            }
            Stop::TooLate => {}
        }
    }

    fn finish_lame_duck(self: &Arc<Self>, run: u64, once: bool) {
        let finished =
            self.life_cycle
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
        !self.in_forked_child() && self.life_cycle.wait_until_stopped(deadline)
    }

    /// When whoever waits for the end of the accept loops, after a stop, gives up.
    pub(crate) fn loops_given_up_at(&self) -> Option<Instant> {
        let config = self.life_cycle.shutdown_config();
        let cut = self.life_cycle.force_close_at();
        cut.and_then(|cut| cut.checked_add(config.force_close_timeout))
    }

    /// A handler that runs inside an accept loop keeps it from leaving, and nobody may be there
    /// to end its wait for an idle client: this makes sure that somebody is, once the grace_period
    /// period is over.
    fn watch_grace(self: &Arc<Self>) {
        let Some(run) = self.life_cycle.claim_watch() else {
            return;
        };
        let state = Arc::clone(self);
        let watch = move || state.life_cycle.watch(run, || state.connections.cut());
        if thread("socketserver-grace_period", watch).is_err() {
            // No thread to wait with: better no grace_period than a server that cannot be stopped.
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
    pub(crate) fn in_forked_child(&self) -> bool {
        !self.home.is_current()
    }

    /// In a child: asks its parent to stop this server, once.
    fn send_stop_request(&self) {
        self.life_cycle.mark_stopped();
        let stop_request = self.stop_request();
        let mark = (OriginProcess::here().generation() << 32) + stop_request.run + 1;
        if self.last_stop_request.swap(mark, Ordering::SeqCst) != mark {
            send_stop_request(stop_request);
        }
    }

    /// What a child says to ask for a stop of this server, of the run that is going on or to come.
    fn stop_request(&self) -> StopRequest {
        StopRequest {
            server: self.id,
            run: self.life_cycle.ended_runs(),
        }
    }

    /// In the parent: does what a child has asked for, if it does not come too late.
    pub(crate) fn receive_stop_request(stop_request: StopRequest) {
        let servers: Vec<_> = servers().iter().filter_map(Weak::upgrade).collect();
        if let Some(server) = servers
            .iter()
            .find(|server| server.stop_request() == stop_request)
        {
            server.request_stop();
        }
    }

    /// Lets children ask for a stop of this server.
    pub(crate) fn register_for_children(self: &Arc<Self>) {
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
        if self.is_stopping() || self.life_cycle.is_closing() {
            self.watch_grace();
        }
        InLoop { state: self }
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.counters.stats();
        // In a child, the registry may be locked for ever.
        if !self.in_forked_child() {
            let (received, sent) = self.connections.bytes();
            stats.bytes_received += received;
            stats.bytes_sent += sent;
        }
        stats
    }

    /// Those that are running or waiting for a thread now.
    pub(crate) fn requests(&self) -> Vec<RequestInfo> {
        if self.in_forked_child() {
            return Vec::new();
        }
        let live = self.connections.live();
        let mut requests: Vec<_> = live
            .iter()
            .filter(|connection| !connection.connection_state().has_ended())
            .map(info_with_sender)
            .collect();
        requests.extend(self.connectionless.infos());
        requests
    }

    /// Notes a request that has ended because it was cut off. It is for the report of a stop; without
    /// one, nobody asks.
    pub(crate) fn record_force_closed(&self, request: impl FnOnce() -> Option<RequestInfo>) {
        if self.life_cycle.is_shutting_down() && !self.in_forked_child() {
            self.force_closed.lock().extend(request());
        }
    }

    pub(crate) fn force_closed(&self) -> Vec<RequestInfo> {
        self.force_closed.lock().clone()
    }

    /// How many requests are running or waiting for a thread.
    pub(crate) fn active(&self) -> usize {
        usize::try_from(self.counters.active()).unwrap_or(usize::MAX)
    }

    /// Waits until no request is running, or until `deadline`. Returns whether it came to that.
    pub(crate) fn wait_until_idle(&self, deadline: Option<Instant>) -> bool {
        self.draining.fetch_add(1, Ordering::SeqCst);
        let idle = self.life_cycle.wait_while(deadline, || self.active() > 0);
        self.draining.fetch_sub(1, Ordering::SeqCst);
        idle
    }

    /// Wakes the loop that serves the last clients whenever a request ends, until the result is dropped.
    pub(crate) fn loop_drains(&self) -> LoopDrains<'_> {
        self.draining.fetch_add(1, Ordering::SeqCst);
        self.life_cycle.serve_queue(true);
        LoopDrains(self)
    }

    /// Tells those who wait for running requests that one has ended.
    #[cold]
    pub(super) fn announce_end(&self) {
        self.life_cycle.announce();
        // A loop is woken by other means.
        if self.life_cycle.is_serving_queue() {
            self.waker.wake();
        }
    }

    /// A descriptor of this server was closed: perhaps a loop waits for one.
    #[inline]
    pub(crate) fn announce_descriptor(&self) {
        if self.reserve.has_waiters() {
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
pub(crate) fn servers() -> MutexGuard<'static, Vec<Weak<ServerState>>> {
    static SERVERS: Mutex<Vec<Weak<ServerState>>> = Mutex::new(Vec::new());
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run of the accept loop, as long as it lasts.
pub(crate) struct Serving(Arc<ServerState>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.life_cycle.end_run(|| self.0.waker.drain());
    }
}

/// A loop that serves those who wait in the queue of a server that is being closed.
pub(crate) struct LoopDrains<'a>(&'a ServerState);

impl Drop for LoopDrains<'_> {
    fn drop(&mut self) {
        self.0.life_cycle.serve_queue(false);
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
        let state = Arc::new(ServerState::new(address, LimitConfig::default()).unwrap());
        state.request_stop();
        let _drains = state.loop_drains();
        state.acknowledge_wake();
        let pending = wait_readable([state.waker.as_fd()], Some(Duration::ZERO));
        assert_eq!(pending.unwrap(), [false]);
    }
}
