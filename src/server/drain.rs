//! The end: serving those who wait, waiting for running requests, and cutting off those that take too
//! long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::logging::log_event;
use crate::panics::catch_panic;
use crate::reentrancy;
use crate::server::backlog::BacklogPolicy;
use crate::server::drain_report::DrainReport;
use crate::state::{ServerHandle, ServerState};
use crate::strategy::Strategy;

/// Takes care of those who wait in the queue of the listening socket, until then; `None` is without
/// limit. It has the last share of the socket, which is closed when it is done.
pub(super) type FinishQueue =
    Box<dyn FnOnce(&Arc<dyn Strategy>, &BacklogPolicy, Option<Instant>) + Send + Sync>;

/// The strategy of a server, together with the duty to see its requests to their end.
pub(super) struct DrainOnDrop<M: Strategy> {
    /// `None` once that is done, or has become somebody else's duty.
    state: Option<Arc<ServerState>>,
    finish_queue: Option<FinishQueue>,
    /// Shared with the accept loops, some of whose threads may outlive the server.
    pub(super) strategy: Arc<M>,
    pub(super) block_on_close: bool,
    pub(super) backlog_policy: BacklogPolicy,
}

impl<M: Strategy> DrainOnDrop<M> {
    pub(super) fn new(handle: &ServerHandle, strategy: M, finish_queue: FinishQueue) -> Self {
        Self {
            state: Some(Arc::clone(&handle.0)),
            finish_queue: Some(finish_queue),
            strategy: Arc::new(strategy),
            block_on_close: true,
            backlog_policy: BacklogPolicy::Serve,
        }
    }

    /// The same duty with another strategy.
    pub(super) fn with<N: Strategy>(mut self, strategy: N) -> DrainOnDrop<N> {
        // It may have served before; what it has begun goes on by itself.
        let _ = catch_panic(|| self.strategy.server_close(Duration::ZERO));
        DrainOnDrop {
            state: self.state.take(),
            finish_queue: self.finish_queue.take(),
            strategy: Arc::new(strategy),
            block_on_close: self.block_on_close,
            backlog_policy: self.backlog_policy.clone(),
        }
    }

    pub(super) fn drain(&mut self) -> DrainReport {
        let (Some(state), finish_queue) = (self.state.take(), self.finish_queue.take()) else {
            return DrainReport::default();
        };
        // In a forked child, all that is to be waited for is in its parent.
        if state.in_forked_child() {
            return DrainReport::default();
        }
        let force_close_at = state.life_cycle.begin_closing(|| state.stats());
        // A handler that closes its own server must not wait for itself, nor serve others meanwhile.
        let waits = !reentrancy::is_busy_for(state.id());
        if let Some(finish_queue) = finish_queue {
            let strategy = Arc::clone(&self.strategy) as Arc<dyn Strategy>;
            let until = if waits {
                force_close_at
            } else {
                Some(Instant::now())
            };
            let finished = || finish_queue(&strategy, &self.backlog_policy, until);
            let _ = catch_panic(finished);
        }
        // Whatever has ended without anybody looking does not count as running.
        self.drain_strategy(Duration::ZERO);
        let mut force_close_deadline = state.life_cycle.force_close_deadline();
        if self.block_on_close && waits && !self.wait(&state, force_close_at) {
            let (address, left) = (&state.address, state.active());
            log_event!(
                Info,
                "{address}: the grace period is over, cutting off {left}"
            );
            force_close_deadline = state.life_cycle.force_close_deadline();
            let is_first = state.life_cycle.begin_force_close();
            self.cut_off(&state);
            if is_first {
                // Cutting thousands takes a part of it; the last of them have theirs all the same.
                let last =
                    Instant::now().checked_add(state.shutdown_config().min_force_close_time());
                force_close_deadline = force_close_deadline
                    .and_then(|force_close_deadline| Some(force_close_deadline.max(last?)));
            }
            self.wait(&state, force_close_deadline);
        }
        // Threads that still run a request are not waited for a second time.
        let grace_period = if state.active() == 0 {
            force_close_deadline.map_or(Duration::MAX, left_until)
        } else {
            Duration::ZERO
        };
        let _ = catch_panic(|| self.strategy.server_close(grace_period));
        state.life_cycle.finish_closing(|| state.waker.wake());
        let report = DrainReport::of(&state);
        report.log(&state);
        report
    }

    /// Waits until no request is running, at most until `deadline`. Returns whether it came to that.
    fn wait(&self, state: &ServerState, deadline: Option<Instant>) -> bool {
        self.drain_strategy(deadline.map_or(Duration::MAX, left_until));
        state.wait_until_idle(deadline)
    }

    fn drain_strategy(&self, timeout: Duration) {
        let _ = catch_panic(|| self.strategy.scheduling().drain(timeout));
    }

    /// Cuts the connections, one after the other if they are to be spread over a time, so that their
    /// clients do not all come back at once.
    fn cut_off(&self, state: &ServerState) {
        let spread = state.shutdown_config().force_close_spread;
        if spread > Duration::ZERO {
            let live = state.connections.live();
            let live: Vec<_> = live.iter().map(Arc::downgrade).collect();
            let begun = Instant::now();
            for (connection, number) in live.iter().zip(0u32..) {
                let part = f64::from(number) / live.len() as f64;
                let deadline = begun.checked_add(spread.mul_f64(part));
                if state.wait_until_idle(deadline) {
                    return;
                }
                if let Some(connection) = connection.upgrade() {
                    connection.force_close();
                }
            }
        }
        state.connections.force_close_all();
        let _ = catch_panic(|| self.strategy.scheduling().force_close());
    }
}

fn left_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

impl<M: Strategy> Drop for DrainOnDrop<M> {
    fn drop(&mut self) {
        self.drain();
    }
}
