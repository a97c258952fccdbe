//! The life cycle of a server: runs of the accept loop, stops and the close.

mod closing;

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::coroutine::monitor::Monitor;
use crate::state::shutdown::Shutdown;
use crate::state::{Phase, ShutdownConfig};

/// The state machine, and copies of the parts that hot paths read.
///
/// `LifeCycleState` is authoritative, and every change of it notifies the waiters. All orderings are
/// `SeqCst`, because the order in which two threads see each other's stores decides about a stop. No access is
/// hot enough to justify the proof of a weaker ordering.
pub(crate) struct LifeCycle<Baseline> {
    state: Monitor<LifeCycleState<Baseline>>,
    /// Copy of `LifeCycleState::stop`, for the accept loops. Also set once the server is closed.
    stopping: AtomicBool,
    /// A stop was requested since the present run began, or the server is being closed.
    shutting_down: AtomicBool,
    /// Like `shutting_down`, but not yet during the lame-duck time.
    draining: AtomicBool,
    /// The server is being closed.
    closing: AtomicBool,
    /// Number of `serve_forever` calls that have ended.
    ended_runs: AtomicU64,
}

struct LifeCycleState<Baseline> {
    state: RunState,
    /// A stop was requested and the accept loop has not ended because of it.
    stop: bool,
    /// A stop was requested and takes effect when the lame-duck time expires.
    lame_duck_pending: bool,
    /// Number of the present or last run of the accept loop. A thread that waits for the end of a run must
    /// not wait for the next run too.
    run: u64,
    run_kind: RunKind,
    config: ShutdownConfig,
    /// The shutdown that ends the present run or closes the server.
    shutdown: Option<Shutdown<Baseline>>,
    /// A thread watches the grace period of the current stop.
    watched: bool,
    /// The grace period has expired, and running requests were force-closed.
    force_closed: bool,
    /// The closing thread serves the connections in the backlog.
    serving_backlog: bool,
    close_phase: ClosePhase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RunState {
    /// No run yet, or the last run was `handle_request`: a stop is remembered for the next run.
    New,
    /// `spawn`, `serve_forever` or `handle_request` was called.
    Serving,
    /// `serve_forever` has returned: a stop is too late for that run and must not end the next one.
    Served,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ClosePhase {
    Open,
    Draining,
    Closing,
    Stopped,
}

/// Kinds of runs of the accept loop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunKind {
    /// `serve_forever`: ends only by a stop.
    Forever,
    /// `handle_request`: ends after one request or a timeout. A stop between two of these calls is
    /// remembered for the next one.
    Once,
}

/// The result of requesting a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Requested,
    AlreadyRequested,
    /// The server is a lame duck first. The caller must call [`LifeCycle::finish_lame_duck`].
    Deferred {
        run: u64,
    },
    /// The run has ended.
    TooLate,
}

impl<Baseline: Clone> LifeCycleState<Baseline> {
    /// Returns whether this run of the accept loop has not ended.
    fn is_serving(&self, run: u64) -> bool {
        self.state == RunState::Serving && self.run == run
    }

    /// Begins a shutdown whose grace period begins after `delay`, unless one has begun.
    fn begin_shutdown(&mut self, delay: Duration, baseline: impl FnOnce() -> Baseline) {
        if self.shutdown.is_none() {
            let grace_period = self.config.grace_period;
            self.shutdown = Some(Shutdown::begin(delay, grace_period, baseline));
        }
    }

    /// End of the grace period. `None`: not known yet, or never.
    fn force_close_at(&self) -> Option<Instant> {
        self.shutdown.as_ref().and_then(Shutdown::force_close_at)
    }
}

impl<Baseline: Clone> LifeCycle<Baseline> {
    pub(crate) fn new() -> Self {
        Self {
            state: Monitor::new(LifeCycleState {
                state: RunState::New,
                stop: false,
                lame_duck_pending: false,
                run: 0,
                run_kind: RunKind::Once,
                config: ShutdownConfig::DEFAULT,
                shutdown: None,
                watched: false,
                force_closed: false,
                serving_backlog: false,
                close_phase: ClosePhase::Open,
            }),
            stopping: AtomicBool::new(false),
            shutting_down: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            ended_runs: AtomicU64::new(0),
        }
    }

    // ---- queries ----

    pub(crate) fn phase(&self) -> Phase {
        let state = self.state.lock();
        match (state.close_phase, state.state) {
            (ClosePhase::Stopped, _) => Phase::Stopped,
            (ClosePhase::Closing, _) => Phase::Closing,
            (ClosePhase::Draining, _) => Phase::Draining,
            (ClosePhase::Open, RunState::Serving) if state.lame_duck_pending => Phase::LameDuck,
            (ClosePhase::Open, RunState::Serving) if state.stop => Phase::Draining,
            (ClosePhase::Open, RunState::Serving) => Phase::Serving,
            (ClosePhase::Open, _) => Phase::Bound,
        }
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::SeqCst)
    }

    /// Returns whether requests are to end: a stop was requested, and no lame-duck time is left.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(crate) fn ended_runs(&self) -> u64 {
        self.ended_runs.load(Ordering::SeqCst)
    }

    pub(crate) fn shutdown_config(&self) -> ShutdownConfig {
        self.state.lock().config
    }

    pub(crate) fn configure_shutdown(&self, change: impl FnOnce(&mut ShutdownConfig)) {
        change(&mut self.state.lock().config);
    }

    /// Time when running requests are force-closed. `None`: not known yet, or never.
    pub(crate) fn force_close_at(&self) -> Option<Instant> {
        self.state.lock().force_close_at()
    }

    /// Returns the counters at the begin of the shutdown.
    pub(crate) fn baseline(&self) -> Option<Baseline> {
        let state = self.state.lock();
        state.shutdown.as_ref().map(Shutdown::baseline)
    }

    /// Time since the begin of the shutdown.
    pub(crate) fn since_stop(&self) -> Duration {
        let state = self.state.lock();
        let elapsed = state.shutdown.as_ref().map(Shutdown::elapsed);
        elapsed.unwrap_or_default()
    }

    // ---- serving ----

    /// Begins a run of the accept loop, which lasts until [`end_run`](Self::end_run). Returns `false` if
    /// another run has not ended. A stop that was requested before is still pending.
    pub(crate) fn begin_run(&self, run_kind: RunKind) -> bool {
        let mut state = self.state.lock();
        if state.state == RunState::Serving {
            return false;
        }
        state.state = RunState::Serving;
        state.run_kind = run_kind;
        state.run += 1;
        state.shutdown = None;
        state.force_closed = false;
        self.set_shutting_down(state.stop);
        true
    }

    /// Ends the present run. `clear` clears all wake-ups so far.
    pub(crate) fn end_run(&self, clear: impl FnOnce()) {
        let mut state = self.state.lock();
        match state.run_kind {
            RunKind::Forever => {
                state.state = RunState::Served;
                self.ended_runs.fetch_add(1, Ordering::SeqCst);
                // A stop requested during the run is done, also if the run ended for another reason.
                self.clear_stop(&mut state, clear);
            }
            RunKind::Once => state.state = RunState::New,
        }
        state.lame_duck_pending = false;
        state.watched = false;
        self.state.notify_all();
    }

    /// In a forked child, records that a stop was requested. Takes no lock.
    pub(crate) fn mark_stopped(&self) {
        self.set_shutting_down(true);
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Clears a requested stop. Returns whether one was requested. `clear` clears all wake-ups so far.
    pub(crate) fn consume_stop(&self, clear: impl FnOnce()) -> bool {
        let mut state = self.state.lock();
        let stop = state.stop;
        self.clear_stop(&mut state, clear);
        if stop && state.close_phase == ClosePhase::Open {
            self.set_shutting_down(false);
        }
        stop
    }

    /// Sets `shutting_down`, without a lame-duck time.
    fn set_shutting_down(&self, shutting_down: bool) {
        self.shutting_down.store(shutting_down, Ordering::SeqCst);
        self.draining.store(shutting_down, Ordering::SeqCst);
    }

    fn clear_stop(&self, state: &mut LifeCycleState<Baseline>, clear: impl FnOnce()) {
        state.stop = false;
        self.stopping.store(false, Ordering::SeqCst);
        clear();
    }

    // ---- stopping ----

    /// Requests that the accept loops leave. Does not wait for that. `wake` ends their waits. `baseline`
    /// returns the counters. A stop `by_signal` is also remembered between two runs.
    pub(crate) fn stop(
        &self,
        by_signal: bool,
        wake: impl FnOnce(),
        baseline: impl FnOnce() -> Baseline,
    ) -> Stop {
        let mut state = self.state.lock();
        if state.state == RunState::Served && !by_signal {
            return Stop::TooLate;
        }
        if state.lame_duck_pending {
            return Stop::AlreadyRequested;
        }
        let again = state.stop;
        let serving = state.state == RunState::Serving && state.run_kind == RunKind::Forever;
        let lame_duck = state.config.lame_duck;
        if serving && !state.stop && lame_duck > Duration::ZERO {
            state.lame_duck_pending = true;
            state.begin_shutdown(lame_duck, baseline);
            self.shutting_down.store(true, Ordering::SeqCst);
            self.state.notify_all();
            return Stop::Deferred { run: state.run };
        }
        self.stop_now(state, wake, baseline);
        if again {
            Stop::AlreadyRequested
        } else {
            Stop::Requested
        }
    }

    fn stop_now(
        &self,
        mut state: MutexGuard<'_, LifeCycleState<Baseline>>,
        wake: impl FnOnce(),
        baseline: impl FnOnce() -> Baseline,
    ) {
        state.stop = true;
        state.lame_duck_pending = false;
        if state.state == RunState::Serving {
            state.begin_shutdown(Duration::ZERO, baseline);
        }
        self.set_shutting_down(true);
        self.stopping.store(true, Ordering::SeqCst);
        wake();
        self.state.notify_all();
    }

    /// Waits until the lame-duck time expires, unless `immediately` is set, and stops the run. Returns
    /// `false` if the run has ended for another reason.
    pub(crate) fn finish_lame_duck(
        &self,
        run: u64,
        immediately: bool,
        wake: impl FnOnce(),
        baseline: impl FnOnce() -> Baseline,
    ) -> bool {
        let state = self.state.lock();
        let deadline = Instant::now().checked_add(state.config.lame_duck);
        let is_pending =
            |state: &LifeCycleState<Baseline>| state.lame_duck_pending && state.is_serving(run);
        let state = if immediately {
            state
        } else {
            self.state.wait_while(state, deadline, is_pending).0
        };
        let is_due = is_pending(&state);
        if is_due {
            self.stop_now(state, wake, baseline);
        }
        is_due
    }

    /// Waits until a stop is requested, at most for `timeout`. Returns whether one was requested.
    pub(crate) fn wait_until_stopping(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let state = self.state.lock();
        self.state
            .wait_while(state, deadline, |state| !state.stop)
            .1
    }

    /// Waits until a stop is requested and no lame-duck time is left, or until the present run has ended, at most until
    /// `deadline`. Returns whether that is so.
    pub(crate) fn wait_until_stopping_or_ended(&self, deadline: Option<Instant>) -> bool {
        let state = self.state.lock();
        let run = state.run;
        let serving = |state: &LifeCycleState<Baseline>| !state.stop && state.is_serving(run);
        self.state.wait_while(state, deadline, serving).1
    }

    /// Waits until a stop is requested, or until the present run has ended.
    pub(crate) fn wait_until_shutting_down_or_ended(&self) {
        let state = self.state.lock();
        let run = state.run;
        let serving = |state: &LifeCycleState<Baseline>| {
            !state.stop && !state.lame_duck_pending && state.is_serving(run)
        };
        drop(self.state.wait_while(state, None, serving));
    }

    /// Waits until the present run has ended, at most until `deadline`. Returns whether it has ended.
    pub(crate) fn wait_until_stopped(&self, deadline: Option<Instant>) -> bool {
        let state = self.state.lock();
        let run = state.run;
        let serving = |state: &LifeCycleState<Baseline>| state.is_serving(run);
        self.state.wait_while(state, deadline, serving).1
    }

    // ---- waiting for conditions outside the life cycle ----

    /// Waits while `condition` holds, at most until `deadline`. Returns whether the condition no longer
    /// holds. Changes of the condition must be announced by [`notify_waiters`](Self::notify_waiters).
    pub(crate) fn wait_while(
        &self,
        deadline: Option<Instant>,
        condition: impl Fn() -> bool,
    ) -> bool {
        let state = self.state.lock();
        self.state.wait_while(state, deadline, |_| condition()).1
    }

    pub(crate) fn notify_waiters(&self) {
        // A waiter checks its condition under the lock. Locking here orders the notification after a
        // check that did not see the change.
        drop(self.state.lock());
        self.state.notify_all();
    }
}

#[cfg(test)]
#[path = "life_cycle/tests.rs"]
mod tests;
