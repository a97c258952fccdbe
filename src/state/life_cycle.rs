//! The life cycle as such: who may serve when, what a stop means in which phase, and who waits for what.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::coroutine::monitor::Monitor;
use crate::state::{Phase, ShutdownConfig};

/// The state machine, and copies of what hot paths need of it.
///
/// `LifeCycleState` is the truth, and changes of it are announced. All orderings are `SeqCst`: a stop is decided
/// by who sees whose store first, and none of these is hot enough to argue about less.
pub(crate) struct LifeCycle<Baseline> {
    state: Monitor<LifeCycleState<Baseline>>,
    /// `LifeCycleState::stop`, for the accept loops.
    stopping: AtomicBool,
    /// A stop was asked for since the server has begun to serve, or it is being closed.
    shutting_down: AtomicBool,
    /// It is being closed, for good.
    closing: AtomicBool,
    /// How many `serve_forever`s have ended.
    ended_runs: AtomicU64,
}

/// Where the server is in its life.
pub(crate) struct LifeCycleState<Baseline> {
    state: RunState,
    /// A stop was asked for and not yet carried out.
    stop: bool,
    /// A stop was asked for and will be carried out later.
    lame_duck_pending: bool,
    /// Which run of the accept loop this is, or was: somebody who waits for the end of one must not
    /// take the next for it.
    run: u64,
    run_kind: RunKind,
    config: ShutdownConfig,
    /// When running requests are cut, once that is known; `None` inside is never.
    force_close_at: Option<Option<Instant>>,
    /// What was counted before the stop, and when that was.
    baseline: Option<(Baseline, Instant)>,
    /// A thread watches over the grace period of the current stop.
    watched: bool,
    /// The grace period was over, and running requests were cut then.
    cut: bool,
    /// Those who wait in the listener's queue are being served, to close it.
    serving_queue: bool,
    close_phase: ClosePhase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RunState {
    /// Not serving yet: a stop is remembered for the run to come.
    New,
    /// `spawn` or `serve_forever` was called.
    Serving,
    /// Served before: a stop would come too late for that run, and must not end the next one.
    Served,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ClosePhase {
    Open,
    Draining,
    Closing,
    Stopped,
}

/// How a run of the accept loop ends by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunKind {
    /// `serve_forever`: only by a stop.
    Forever,
    /// `handle_request`: after one request or its timeout. A stop that comes in between two of
    /// these is kept for the next.
    Once,
}

/// What has to be done about a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing more.
    Requested,
    /// Nothing more: it was asked for before.
    AlreadyRequested,
    /// Somebody has to carry it out later: [`LifeCycle::finish_lame_duck`].
    Deferred { run: u64 },
    /// It came too late.
    TooLate,
}

impl<Baseline> LifeCycleState<Baseline> {
    /// Whether this run of the accept loop is still going on.
    fn is_serving(&self, run: u64) -> bool {
        self.state == RunState::Serving && self.run == run
    }

    /// Running requests are cut after the grace period, which begins `after` now, or has begun already.
    fn set_cut(&mut self, after: Duration, baseline: impl FnOnce() -> Baseline) {
        if self.force_close_at.is_none() {
            let patience = after.checked_add(self.config.grace_period);
            self.force_close_at =
                Some(patience.and_then(|patience| Instant::now().checked_add(patience)));
            self.baseline = Some((baseline(), Instant::now()));
        }
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
                force_close_at: None,
                baseline: None,
                watched: false,
                cut: false,
                serving_queue: false,
                close_phase: ClosePhase::Open,
            }),
            stopping: AtomicBool::new(false),
            shutting_down: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            ended_runs: AtomicU64::new(0),
        }
    }

    // ---- what can be asked ----

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

    /// When running requests are cut, if that is known yet and ever comes.
    pub(crate) fn force_close_at(&self) -> Option<Instant> {
        self.state.lock().force_close_at.flatten()
    }

    /// What was counted before the stop.
    pub(crate) fn baseline(&self) -> Option<Baseline> {
        let state = self.state.lock();
        state
            .baseline
            .as_ref()
            .map(|(baseline, _)| baseline.clone())
    }

    /// How long ago the stop was asked for.
    pub(crate) fn since_stop(&self) -> Duration {
        let state = self.state.lock();
        let since = state.baseline.as_ref().map(|(_, then)| then.elapsed());
        since.unwrap_or_default()
    }

    // ---- serving ----

    /// Enters a run of the accept loop, unless one is going on: it lasts until
    /// [`end_run`](Self::end_run). A stop that was asked for before is still pending.
    pub(crate) fn begin_run(&self, run_kind: RunKind) -> bool {
        let mut state = self.state.lock();
        if state.state == RunState::Serving {
            return false;
        }
        state.state = RunState::Serving;
        state.run_kind = run_kind;
        state.run += 1;
        state.force_close_at = None;
        state.baseline = None;
        state.cut = false;
        let stop = state.stop;
        self.shutting_down.store(stop, Ordering::SeqCst);
        true
    }

    pub(crate) fn end_run(&self, clear: impl FnOnce()) {
        let mut state = self.state.lock();
        match state.run_kind {
            RunKind::Forever => {
                state.state = RunState::Served;
                self.ended_runs.fetch_add(1, Ordering::SeqCst);
                // Whatever made it end, a stop that was asked for meanwhile is carried out.
                self.take_stop(&mut state, clear);
            }
            RunKind::Once => state.state = RunState::New,
        }
        state.lame_duck_pending = false;
        state.watched = false;
        self.state.notify_all();
    }

    /// In a copy of this that nobody can change: what was asked for shows.
    pub(crate) fn mark_stopped(&self) {
        self.shutting_down.store(true, Ordering::SeqCst);
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for; the request is used up. `clear` takes back all wake-ups so far.
    pub(crate) fn consume_stop(&self, clear: impl FnOnce()) -> bool {
        let mut state = self.state.lock();
        let stop = state.stop;
        self.take_stop(&mut state, clear);
        if stop && state.close_phase == ClosePhase::Open {
            self.shutting_down.store(false, Ordering::SeqCst);
        }
        stop
    }

    fn take_stop(&self, state: &mut LifeCycleState<Baseline>, clear: impl FnOnce()) {
        state.stop = false;
        self.stopping.store(false, Ordering::SeqCst);
        clear();
    }

    // ---- stopping ----

    /// Asks the accept loops to leave. Never waits. `wake` ends their waits; `before` says what was
    /// counted so far. One `by_signal` is remembered between two runs, too.
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
            state.set_cut(lame_duck, baseline);
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
            state.set_cut(Duration::ZERO, baseline);
        }
        self.shutting_down.store(true, Ordering::SeqCst);
        self.stopping.store(true, Ordering::SeqCst);
        wake();
        self.state.notify_all();
    }

    /// Carries out a stop that was to come later, when the time has come, or at `once`. Returns whether
    /// it did: the run may have ended by itself.
    pub(crate) fn finish_lame_duck(
        &self,
        run: u64,
        once: bool,
        wake: impl FnOnce(),
        baseline: impl FnOnce() -> Baseline,
    ) -> bool {
        let state = self.state.lock();
        let deadline = Instant::now().checked_add(state.config.lame_duck);
        let lame_duck_pending =
            |state: &LifeCycleState<Baseline>| state.lame_duck_pending && state.is_serving(run);
        let state = if once {
            state
        } else {
            self.state.wait_while(state, deadline, lame_duck_pending).0
        };
        let is_due = lame_duck_pending(&state);
        if is_due {
            self.stop_now(state, wake, baseline);
        }
        is_due
    }

    /// Waits until a stop is asked for, at most `timeout`. Returns whether one was.
    pub(crate) fn wait_for_stop(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let state = self.state.lock();
        self.state
            .wait_while(state, deadline, |state| !state.stop)
            .1
    }

    /// Waits until no accept loop runs. `false` if that takes longer than `deadline`.
    pub(crate) fn wait_until_stopped(&self, deadline: Option<Instant>) -> bool {
        let state = self.state.lock();
        let run = state.run;
        let serving = |state: &LifeCycleState<Baseline>| state.is_serving(run);
        self.state.wait_while(state, deadline, serving).1
    }

    /// Claims the duty to watch over the grace period of this stop, for as long as requests run in the
    /// accept loop or in the place of one. `None` if somebody has it, or nobody is needed.
    pub(crate) fn claim_watch(&self) -> Option<u64> {
        let mut state = self.state.lock();
        let needed = state.state == RunState::Serving || state.serving_queue;
        if state.watched || !needed {
            return None;
        }
        state.watched = true;
        Some(state.run)
    }

    /// Watches, and calls `cut` when the grace period is over.
    pub(crate) fn watch(&self, run: u64, cut: impl FnOnce()) {
        let state = self.state.lock();
        let deadline = state.force_close_at.flatten();
        let serving =
            |state: &LifeCycleState<Baseline>| state.is_serving(run) || state.serving_queue;
        // The lock is kept, so that it is this run whose connections are cut, not the next.
        let (mut state, over) = self.state.wait_while(state, deadline, serving);
        if !over {
            state.cut = true;
            cut();
            // Whoever is taken in just now is on the list too late: there is to be a watch for him, too.
            state.watched = false;
        }
    }

    /// The grace period is over, and running requests are about to be cut. `false`: they were before.
    pub(crate) fn claim_force_close(&self) -> bool {
        let mut state = self.state.lock();
        !std::mem::replace(&mut state.cut, true)
    }

    /// Until when requests that were cut have time to end: from now, or from when they were.
    pub(crate) fn force_close_deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        let now = Instant::now();
        let force_close_at = state.force_close_at.flatten().filter(|_| state.cut);
        let force_close_deadline = force_close_at
            .unwrap_or(now)
            .checked_add(state.config.force_close_timeout)?;
        Some(force_close_deadline.max(now + Self::MOMENT))
    }

    /// What processes have left that are told to end only when those who were cut have had their time.
    const MOMENT: Duration = Duration::from_millis(20);

    // ---- closing ----

    /// The server is being closed, for good. Returns when running requests are to be cut.
    pub(crate) fn begin_closing(&self, baseline: impl FnOnce() -> Baseline) -> Option<Instant> {
        let mut state = self.state.lock();
        state.close_phase = ClosePhase::Draining;
        state.set_cut(Duration::ZERO, baseline);
        self.shutting_down.store(true, Ordering::SeqCst);
        self.closing.store(true, Ordering::SeqCst);
        self.state.notify_all();
        state.force_close_at.flatten()
    }

    /// Those who wait in the listener's queue are being served, or that is over.
    pub(crate) fn serve_queue(&self, serving: bool) {
        let mut state = self.state.lock();
        state.serving_queue = serving;
        if !serving {
            state.watched = false;
        }
        self.state.notify_all();
    }

    pub(crate) fn is_serving_queue(&self) -> bool {
        self.state.lock().serving_queue
    }

    /// The grace period of a server that is being closed is over: as [`claim_force_close`](Self::claim_force_close).
    pub(crate) fn begin_force_close(&self) -> bool {
        self.state.lock().close_phase = ClosePhase::Closing;
        self.state.notify_all();
        self.claim_force_close()
    }

    /// It is closed. A loop that was left behind, and has not looked yet, is woken by `wake`.
    pub(crate) fn end(&self, wake: impl FnOnce()) {
        self.state.lock().close_phase = ClosePhase::Stopped;
        self.stopping.store(true, Ordering::SeqCst);
        wake();
        self.state.notify_all();
    }

    // ---- waiting for what is counted elsewhere ----

    /// Waits while `condition` holds, which is about what is announced by
    /// [`announce`](Self::announce). Returns whether it ceased to hold.
    pub(crate) fn wait_while(
        &self,
        deadline: Option<Instant>,
        condition: impl Fn() -> bool,
    ) -> bool {
        let state = self.state.lock();
        self.state.wait_while(state, deadline, |_| condition()).1
    }

    pub(crate) fn announce(&self) {
        // The lock orders this after the waiter's look.
        drop(self.state.lock());
        self.state.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn that_served() -> LifeCycle<()> {
        let state = LifeCycle::new();
        assert!(state.begin_run(RunKind::Forever));
        state.end_run(|| ());
        state
    }

    fn stop(state: &LifeCycle<()>, by_signal: bool) -> Stop {
        state.stop(by_signal, || (), || ())
    }

    #[test]
    fn between_two_runs_a_stop_is_too_late_but_a_signal_is_not() {
        let state = that_served();
        assert_eq!(stop(&state, false), Stop::TooLate);
        assert!(state.begin_run(RunKind::Forever));
        assert!(!state.is_stopping());
        state.end_run(|| ());
        assert_eq!(stop(&state, true), Stop::Requested);
        assert!(state.begin_run(RunKind::Forever));
        assert!(state.is_stopping());
        state.end_run(|| ());
        assert!(
            !state.is_stopping(),
            "the signal ended that run, and not the one after it"
        );
    }

    #[test]
    fn only_one_run_goes_on_at_a_time() {
        let state = that_served();
        assert!(state.begin_run(RunKind::Once));
        assert!(!state.begin_run(RunKind::Forever));
        assert!(!state.wait_until_stopped(Some(Instant::now())));
        state.end_run(|| ());
        assert!(state.wait_until_stopped(None));
    }

    #[test]
    fn the_phases_follow_each_other() {
        let state = LifeCycle::new();
        state.configure_shutdown(|config| config.lame_duck = Duration::from_secs(3600));
        assert_eq!(state.phase(), Phase::Bound);
        assert!(state.begin_run(RunKind::Forever));
        assert_eq!(state.phase(), Phase::Serving);
        let Stop::Deferred { run } = stop(&state, false) else {
            panic!("it is to be a lame duck first");
        };
        assert_eq!(state.phase(), Phase::LameDuck);
        assert!(state.is_shutting_down() && !state.is_stopping());
        assert_eq!(stop(&state, false), Stop::AlreadyRequested);
        assert_eq!(
            state.phase(),
            Phase::LameDuck,
            "it is not cut short by a second"
        );
        assert!(state.finish_lame_duck(run, true, || (), || ()));
        assert_eq!(state.phase(), Phase::Draining);
        assert!(state.is_stopping());
        state.end_run(|| ());
        assert_eq!(state.phase(), Phase::Bound);
        assert!(state.is_shutting_down());
        let force_close_at = state.begin_closing(|| ());
        assert!(force_close_at > Instant::now().checked_add(Duration::from_secs(3000)));
        assert_eq!(state.phase(), Phase::Draining);
        state.begin_force_close();
        assert_eq!(state.phase(), Phase::Closing);
        state.end(|| ());
        assert_eq!(state.phase(), Phase::Stopped);
    }

    #[test]
    fn the_grace_period_begins_with_the_stop() {
        let state = LifeCycle::new();
        assert!(state.begin_run(RunKind::Forever));
        stop(&state, false);
        let stopped_at = Instant::now();
        state.end_run(|| ());
        let force_close_at = state.begin_closing(|| ()).unwrap();
        assert!(force_close_at <= stopped_at + ShutdownConfig::DEFAULT.grace_period);
    }

    #[test]
    fn a_run_that_ends_by_itself_is_no_lame_duck_any_more() {
        let state = LifeCycle::new();
        state.configure_shutdown(|config| config.lame_duck = Duration::from_secs(3600));
        assert!(state.begin_run(RunKind::Forever));
        let Stop::Deferred { run } = stop(&state, false) else {
            panic!("it is to be a lame duck first");
        };
        state.end_run(|| ());
        assert!(!state.finish_lame_duck(run, false, || (), || ()));
        assert!(state.begin_run(RunKind::Forever));
        assert!(!state.is_stopping() && !state.is_shutting_down());
    }
}
