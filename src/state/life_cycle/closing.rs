//! Transitions of a server that stops: the grace period, the force-close and the close.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::state::life_cycle::{ClosePhase, LifeCycle, LifeCycleState, RunState};

impl<Baseline: Clone> LifeCycle<Baseline> {
    // ---- the grace period ----

    /// Claims the task of watching the grace period, for [`watch`](Self::watch). Returns `None` if another
    /// thread has claimed it, or if no loop serves connections inline.
    pub(crate) fn claim_watch(&self) -> Option<u64> {
        let mut state = self.state.lock();
        let needed = state.state == RunState::Serving || state.serving_backlog;
        if state.watched || !needed {
            return None;
        }
        state.watched = true;
        Some(state.run)
    }

    /// Waits until the run ends and the backlog is served. If the grace period expires before, calls
    /// `force_close`.
    pub(crate) fn watch(&self, run: u64, force_close: impl FnOnce()) {
        let state = self.state.lock();
        let deadline = state.force_close_at();
        let serving =
            |state: &LifeCycleState<Baseline>| state.is_serving(run) || state.serving_backlog;
        let (mut state, ended) = self.state.wait_while(state, deadline, serving);
        if !ended {
            state.force_closed = true;
            // Called under the lock, so that no connection of the next run is force-closed.
            force_close();
            // A connection that is being accepted now may have been missed. It claims a watch of its own.
            state.watched = false;
        }
    }

    /// Claims the task of force-closing the running requests when the grace period has expired. Returns
    /// `false` if another thread has claimed it.
    pub(crate) fn claim_force_close(&self) -> bool {
        let mut state = self.state.lock();
        !std::mem::replace(&mut state.force_closed, true)
    }

    /// Returns whether a thread has claimed the task of force-closing.
    pub(crate) fn is_force_close_claimed(&self) -> bool {
        self.state.lock().force_closed
    }

    /// Time until which force-closed requests can end: `force_close_timeout` after the force-close, or after
    /// now if there was none.
    pub(crate) fn force_close_deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        let now = Instant::now();
        let force_close_at = state.force_close_at().filter(|_| state.force_closed);
        let force_close_deadline = force_close_at
            .unwrap_or(now)
            .checked_add(state.config.force_close_timeout)?;
        Some(force_close_deadline.max(now + Self::MIN_FORCE_CLOSE_TIME))
    }

    /// Minimum time from now to the deadline. Child processes that are told to end only after the
    /// connections of this process were force-closed have at least this time.
    const MIN_FORCE_CLOSE_TIME: Duration = Duration::from_millis(20);

    // ---- closing ----

    /// Begins closing the server. Returns the time when running requests are force-closed.
    pub(crate) fn begin_closing(&self, baseline: impl FnOnce() -> Baseline) -> Option<Instant> {
        let mut state = self.state.lock();
        state.close_phase = ClosePhase::Draining;
        state.begin_shutdown(Duration::ZERO, baseline);
        self.set_shutting_down(true);
        self.closing.store(true, Ordering::SeqCst);
        self.state.notify_all();
        state.force_close_at()
    }

    /// Records that serving the backlog begins or ends.
    pub(crate) fn set_serving_backlog(&self, serving: bool) {
        let mut state = self.state.lock();
        state.serving_backlog = serving;
        if !serving {
            state.watched = false;
        }
        self.state.notify_all();
    }

    pub(crate) fn is_serving_backlog(&self) -> bool {
        self.state.lock().serving_backlog
    }

    /// Enters [`Phase::Closing`], because the grace period of a server that is being closed has expired.
    /// Returns the result of [`claim_force_close`](Self::claim_force_close).
    pub(crate) fn begin_force_close(&self) -> bool {
        self.state.lock().close_phase = ClosePhase::Closing;
        self.state.notify_all();
        self.claim_force_close()
    }

    /// Enters [`Phase::Stopped`]. `wake` wakes accept loops that the close no longer waited for.
    pub(crate) fn finish_closing(&self, wake: impl FnOnce()) {
        self.state.lock().close_phase = ClosePhase::Stopped;
        self.stopping.store(true, Ordering::SeqCst);
        wake();
        self.state.notify_all();
    }
}
