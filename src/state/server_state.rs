//! The state of one server.

pub(crate) mod admission;
mod forked_child;
pub(crate) mod in_group;

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::address::SocketAddress;
use crate::error::Error;
use crate::logging::log_event;
use crate::state::connectionless::ConnectionlessRequests;
use crate::state::connections::Connections;
use crate::state::counters::Counters;
use crate::state::descriptor_reserve::DescriptorReserve;
use crate::state::failure_log::FailureLog;
use crate::state::group::Group;
use crate::state::life_cycle::{LifeCycle, RunKind, Stop};
use crate::state::limits::{LimitConfig, Limits};
use crate::state::{RequestInfo, ShutdownConfig, Stats};
use crate::sys::child_channel::{OriginProcess, wait_for_close};
use crate::sys::close_on_fork::CloseOnFork;
use crate::sys::fork_gate::prepare_for_forks;
use crate::sys::waker::Waker;

/// The servers of a group. It owns the states of its members, and a member does not own it.
pub(crate) type ServerGroupState = Group<Arc<ServerState>>;

/// Shared by the server, its [`ServerHandle`](crate::ServerHandle)s and its requests.
pub(crate) struct ServerState {
    /// The first of `addresses`, which names the server in logs.
    pub(crate) address: SocketAddress,
    /// The addresses of all listening sockets. Not empty.
    pub(crate) addresses: Box<[SocketAddress]>,
    pub(crate) counters: Counters,
    pub(crate) life_cycle: LifeCycle<Stats>,
    /// Number of connections that accept loops serve inline. Such a loop cannot leave before its handler
    /// ends.
    in_loop: AtomicUsize,
    /// Number of threads that wait for requests to end.
    idle_waiters: AtomicUsize,
    /// Keeps the waker's descriptors out of forked children. Declared before `waker`, because the
    /// descriptors must leave the list of such descriptors before they are closed.
    _close_on_fork: CloseOnFork<2>,
    /// In the `poll` set of every accept loop.
    pub(crate) waker: Waker,
    pub(crate) connections: Connections,
    pub(crate) limits: Limits,
    pub(crate) connectionless: Arc<ConnectionlessRequests>,
    pub(crate) reserve: DescriptorReserve,
    pub(crate) failures: FailureLog,
    /// Requests that the current stop has force-closed and that have ended since.
    force_closed: parking_lot::Mutex<Vec<RequestInfo>>,
    /// The group that this server is in.
    group: OnceLock<Weak<ServerGroupState>>,
    /// Unique in this process. Not reused by later servers.
    id: u64,
    /// In a child process: the last stop request that was sent to the parent.
    last_stop_request: AtomicU64,
    /// The process that created this server.
    origin: OriginProcess,
}

impl ServerState {
    pub(crate) fn new(addresses: Box<[SocketAddress]>, limits: LimitConfig) -> io::Result<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);

        prepare_for_forks();
        let waker = Waker::new()?;
        Ok(Self {
            address: addresses[0].clone(),
            addresses,
            counters: Counters::default(),
            life_cycle: LifeCycle::new(),
            in_loop: AtomicUsize::new(0),
            idle_waiters: AtomicUsize::new(0),
            _close_on_fork: waker.close_on_fork(),
            waker,
            connections: Connections::default(),
            limits: Limits::new(limits),
            connectionless: Arc::default(),
            reserve: DescriptorReserve::default(),
            failures: FailureLog::default(),
            force_closed: parking_lot::Mutex::default(),
            group: OnceLock::new(),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            last_stop_request: AtomicU64::new(0),
            origin: OriginProcess::here(),
        })
    }

    pub(crate) fn shutdown_config(&self) -> ShutdownConfig {
        if self.in_forked_child() {
            return ShutdownConfig::DEFAULT;
        }
        self.life_cycle.shutdown_config()
    }

    // ---- serving ----

    /// Begins a run of the accept loop, which lasts until the result is dropped. A stop that was requested
    /// before is still pending.
    pub(crate) fn begin_serving(self: &Arc<Self>, run: RunKind) -> Result<Serving, Error> {
        // A forked child cannot serve, because the listener belongs to its parent.
        if self.in_forked_child() || !self.life_cycle.begin_run(run) {
            return Err(Error::AlreadyServing);
        }
        self.force_closed.lock().clear();
        Ok(Serving(Arc::clone(self)))
    }

    /// Clears a requested stop. Returns whether one was requested.
    pub(crate) fn consume_stop(&self) -> bool {
        self.life_cycle.consume_stop(|| self.waker.drain())
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.life_cycle.is_stopping()
    }

    /// Clears a wake-up that was not caused by a stop.
    pub(crate) fn acknowledge_wake(&self) {
        self.waker.drain();
        // A stop requested just before the line above lost its wake-up, and every accept loop must see it.
        // While a closed server serves its backlog, a pending wake-up would end every wait at once.
        if self.is_stopping() && !self.life_cycle.is_serving_backlog() {
            self.waker.wake();
        }
    }

    // ---- stopping ----

    /// Requests that the accept loops leave, of this server and of all others of its group. Does not wait for that.
    pub(crate) fn request_stop(self: &Arc<Self>) {
        self.for_group(Self::request_own_stop);
    }

    fn request_own_stop(self: &Arc<Self>) {
        if self.in_forked_child() {
            return self.send_stop_request();
        }
        self.stop(false);
    }

    /// Requests a stop because of a signal. Unlike other requests, it is also remembered between two runs.
    pub(crate) fn request_stop_by_signal(self: &Arc<Self>) {
        self.for_group(|server| server.stop(true));
    }

    fn stop(self: &Arc<Self>, by_signal: bool) {
        let stop = self
            .life_cycle
            .stop(by_signal, || self.waker.wake(), || self.stats());
        if matches!(stop, Stop::Requested | Stop::Deferred { .. }) {
            log_event!(Info, "{}: a stop was requested", self.address);
        }
        match stop {
            // A lame duck still serves.
            Stop::AlreadyRequested if !self.life_cycle.is_draining() => {}
            Stop::Requested | Stop::AlreadyRequested => self.begin_draining(),
            Stop::Deferred { run } => {
                let time = self.life_cycle.shutdown_config().lame_duck;
                log_event!(Info, "{}: lame duck for {time:?}", self.address);
                let state = Arc::clone(self);
                let later = move || state.finish_lame_duck(run, false);
                if spawn_thread("socketserver-lame-duck", later).is_err() {
                    // Without a thread that waits, the server would never stop.
                    self.finish_lame_duck(run, true);
                }
            }
            Stop::TooLate => {}
        }
    }

    fn finish_lame_duck(self: &Arc<Self>, run: u64, immediately: bool) {
        let finished = self.life_cycle.finish_lame_duck(
            run,
            immediately,
            || self.waker.wake(),
            || self.stats(),
        );
        if finished {
            self.begin_draining();
        }
    }

    /// Ends the idle connections. Watches the grace period of connections that an accept loop serves inline.
    fn begin_draining(self: &Arc<Self>) {
        self.connections.end_idle();
        if self.in_loop.load(Ordering::SeqCst) > 0 {
            self.watch_grace_period();
        }
    }

    /// Begins closing the server. Returns the time when running requests are force-closed.
    pub(crate) fn begin_closing(&self) -> Option<Instant> {
        let force_close_at = self.life_cycle.begin_closing(|| self.stats());
        self.connections.end_idle();
        force_close_at
    }

    /// Waits until a stop is requested, at most for `timeout`. Returns whether one was requested.
    pub(crate) fn wait_for_stop(&self, timeout: Option<Duration>) -> bool {
        let is_running = || !self.life_cycle.is_shutting_down();
        if !self.in_forked_child() {
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            return self.life_cycle.wait_while(deadline, is_running);
        }
        if is_running() && wait_for_close(timeout) {
            self.life_cycle.mark_stopped();
        }
        !is_running()
    }

    /// Waits until no accept loop runs, at most until `deadline`. Returns whether none runs.
    pub(crate) fn wait_until_stopped(&self, deadline: Option<Instant>) -> bool {
        !self.in_forked_child() && self.life_cycle.wait_until_stopped(deadline)
    }

    /// Time after which a stop no longer waits for accept loops.
    pub(crate) fn loop_join_deadline(&self) -> Option<Instant> {
        let config = self.life_cycle.shutdown_config();
        let force_close_at = self.life_cycle.force_close_at();
        force_close_at
            .and_then(|force_close_at| force_close_at.checked_add(config.force_close_timeout))
    }

    /// Starts a thread that force-closes the connections when the grace period expires. Needed while an
    /// accept loop serves a connection inline: the loop cannot leave while the handler waits for an idle
    /// client, and nothing else may be running that ends this wait.
    fn watch_grace_period(self: &Arc<Self>) {
        let Some(run) = self.life_cycle.claim_watch() else {
            return;
        };
        let state = Arc::clone(self);
        let watch = move || {
            state
                .life_cycle
                .watch(run, || state.connections.force_close_all());
        };
        if spawn_thread("socketserver-grace", watch).is_err() {
            // Without a thread that waits, the server might never stop. Skips the grace period.
            self.connections.force_close_all();
        }
    }

    /// Number of this server, unique in this process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    // ---- requests ----

    /// Records that the calling accept loop serves a connection inline, until the result is dropped.
    #[inline]
    pub(crate) fn connection_in_loop(self: &Arc<Self>) -> InLoop<'_> {
        self.in_loop.fetch_add(1, Ordering::SeqCst);
        // A stop requested just before the line above did not see this connection.
        if self.is_stopping() || self.life_cycle.is_closing() {
            self.watch_grace_period();
        }
        InLoop { state: self }
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.counters.stats();
        // In a child process, the registry may be locked forever.
        if !self.in_forked_child() {
            let (received, sent) = self.connections.bytes();
            stats.bytes_received += received;
            stats.bytes_sent += sent;
        }
        stats
    }

    /// Returns the requests that are running or queued now.
    pub(crate) fn requests(&self) -> Vec<RequestInfo> {
        if self.in_forked_child() {
            return Vec::new();
        }
        let live = self.connections.live();
        let mut requests: Vec<_> = live
            .iter()
            .filter(|connection| !connection.connection_state().has_ended())
            .map(RequestInfo::with_sender)
            .collect();
        requests.extend(self.connectionless.infos());
        requests
    }

    /// Records a request that has ended because it was force-closed, for the report of the current stop.
    pub(super) fn record_force_closed(&self, request: impl FnOnce() -> Option<RequestInfo>) {
        if self.life_cycle.is_shutting_down() && !self.in_forked_child() {
            self.force_closed.lock().extend(request());
        }
    }

    pub(crate) fn force_closed(&self) -> Vec<RequestInfo> {
        self.force_closed.lock().clone()
    }

    /// Number of requests that are running or queued.
    pub(crate) fn active(&self) -> usize {
        self.counters.active()
    }

    /// Waits until no request is active, at most until `deadline`. Returns whether none is active.
    pub(crate) fn wait_until_idle(&self, deadline: Option<Instant>) -> bool {
        self.idle_waiters.fetch_add(1, Ordering::SeqCst);
        let idle = self.life_cycle.wait_while(deadline, || self.active() > 0);
        self.idle_waiters.fetch_sub(1, Ordering::SeqCst);
        idle
    }

    /// Records that the server is being closed and serves its backlog, until the result is dropped.
    /// Meanwhile, the end of each request wakes the loop that does so.
    pub(crate) fn serve_backlog(&self) -> ServingBacklog<'_> {
        self.idle_waiters.fetch_add(1, Ordering::SeqCst);
        self.life_cycle.set_serving_backlog(true);
        ServingBacklog(self)
    }

    /// Notifies threads that wait for requests to end. Called after the counters were updated.
    #[inline]
    pub(super) fn notify_request_ended(&self) {
        if self.idle_waiters.load(Ordering::SeqCst) > 0 {
            self.wake_idle_waiters();
        }
    }

    #[cold]
    fn wake_idle_waiters(&self) {
        self.life_cycle.notify_waiters();
        // A loop that serves the backlog waits for the waker, not for the life cycle.
        if self.life_cycle.is_serving_backlog() {
            self.waker.wake();
        }
    }

    /// Wakes an accept loop that waits for a descriptor. Called when a connection was closed.
    #[inline]
    pub(crate) fn notify_descriptor_free(&self) {
        if self.reserve.has_waiters() {
            self.waker.wake();
        }
    }
}

fn spawn_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.into());
    thread.spawn(work).map(drop)
}

/// A run of the accept loop.
pub(crate) struct Serving(Arc<ServerState>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.life_cycle.end_run(|| self.0.waker.drain());
    }
}

/// A connection that an accept loop serves inline.
pub(crate) struct InLoop<'a> {
    state: &'a ServerState,
}

impl Drop for InLoop<'_> {
    fn drop(&mut self) {
        self.state.in_loop.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A closed server that serves its backlog.
pub(crate) struct ServingBacklog<'a>(&'a ServerState);

impl Drop for ServingBacklog<'_> {
    fn drop(&mut self) {
        self.0.life_cycle.set_serving_backlog(false);
        self.0.idle_waiters.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sys::fd::AsFd;
    use crate::sys::poll::wait_readable;

    /// A pending wake-up would end every wait of the loop that serves the backlog at once.
    #[test]
    fn a_stop_requested_before_the_close_leaves_no_wake_up_while_the_backlog_is_served() {
        let address = [crate::address::UnixAddress::Unnamed.into()].into();
        let state = Arc::new(ServerState::new(address, LimitConfig::default()).unwrap());
        state.request_stop();
        let _serving = state.serve_backlog();
        state.acknowledge_wake();
        let pending = wait_readable([state.waker.as_fd()], Some(Duration::ZERO));
        assert_eq!(pending.unwrap(), [false]);
    }
}
