//! Closing: the backlog is drained, running requests get the grace period, and the remaining ones are
//! force-closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::logging::log_event;
use crate::panics::catch_panic;
use crate::reentrancy;
use crate::server::backlog_policy::BacklogPolicy;
use crate::server::drain_report::DrainReport;
use crate::state::{ServerHandle, ServerState};
use crate::strategy::Strategy;

/// Serves or rejects the connections in the backlog. It has the last share of the listening socket, which is closed
/// when it returns.
pub(super) type DrainBacklog =
    Box<dyn FnOnce(&Arc<dyn Strategy>, &BacklogPolicy, Deadlines) + Send + Sync>;

/// Ends of the waits for connections that have no handler yet, if they have one.
#[derive(Clone, Copy)]
pub(super) struct Deadlines {
    /// For connections in the backlog.
    pub(super) backlog: Option<Instant>,
    /// For connections in their handshake, and those that wait for a place after it.
    pub(super) handshakes: Option<Instant>,
}

/// The strategy of a server. Dropping it closes the server and waits for its requests.
pub(super) struct DrainOnDrop<M: Strategy> {
    /// `None` once the server is closed, or after [`with`](Self::with).
    state: Option<Arc<ServerState>>,
    drain_backlog: Option<DrainBacklog>,
    /// Shared with the accept loops, whose threads may outlive the server.
    pub(super) strategy: Arc<M>,
    pub(super) block_on_close: bool,
    pub(super) backlog_policy: BacklogPolicy,
}

impl<M: Strategy> DrainOnDrop<M> {
    pub(super) fn new(handle: &ServerHandle, strategy: M, drain_backlog: DrainBacklog) -> Self {
        Self {
            state: Some(Arc::clone(&handle.0)),
            drain_backlog: Some(drain_backlog),
            strategy: Arc::new(strategy),
            block_on_close: true,
            backlog_policy: BacklogPolicy::Serve,
        }
    }

    /// Exchanges the strategy.
    pub(super) fn with<N: Strategy>(mut self, strategy: N) -> DrainOnDrop<N> {
        // The old strategy may have served before. Its requests continue without it.
        let _ = catch_panic(|| self.strategy.server_close(Duration::ZERO));
        DrainOnDrop {
            state: self.state.take(),
            drain_backlog: self.drain_backlog.take(),
            strategy: Arc::new(strategy),
            block_on_close: self.block_on_close,
            backlog_policy: self.backlog_policy.clone(),
        }
    }

    /// Closes the server. Does nothing, and returns an empty report, if it is closed already.
    pub(super) fn drain(&mut self) -> DrainReport {
        let (Some(state), drain_backlog) = (self.state.take(), self.drain_backlog.take()) else {
            return DrainReport::default();
        };
        // In a forked child: all requests and threads of the server are in the parent process.
        if state.in_forked_child() {
            return DrainReport::default();
        }
        let force_close_at = state.begin_closing();
        // A handler that closes its own server would wait for itself.
        let may_wait = !reentrancy::is_busy_for(state.id());
        if let Some(drain_backlog) = drain_backlog {
            let strategy = Arc::clone(&self.strategy) as Arc<dyn Strategy>;
            let until = |may_wait| match may_wait {
                true => force_close_at,
                false => Some(Instant::now()),
            };
            let deadlines = Deadlines {
                backlog: until(may_wait),
                handshakes: until(may_wait && self.block_on_close),
            };
            let drain = || drain_backlog(&strategy, &self.backlog_policy, deadlines);
            let _ = catch_panic(drain);
        }
        // Requests that have ended unnoticed, in child processes, stop counting as running.
        self.drain_strategy(Duration::ZERO);
        let mut force_close_deadline = state.life_cycle.force_close_deadline();
        if self.block_on_close && may_wait && !self.wait_until_idle(&state, force_close_at) {
            force_close_deadline = self.force_close(&state);
            self.wait_until_idle(&state, force_close_deadline);
        }
        // Threads that still run a request are not waited for a second time.
        let timeout = if state.active() == 0 {
            force_close_deadline.map_or(Duration::MAX, remaining)
        } else {
            Duration::ZERO
        };
        let _ = catch_panic(|| self.strategy.server_close(timeout));
        state.life_cycle.finish_closing(|| state.waker.wake());
        let report = DrainReport::of(&state);
        report.log(&state);
        report
    }

    /// Waits until no request is running, at most until `deadline`. Returns whether none is running.
    fn wait_until_idle(&self, state: &ServerState, deadline: Option<Instant>) -> bool {
        self.drain_strategy(deadline.map_or(Duration::MAX, remaining));
        state.wait_until_idle(deadline)
    }

    fn drain_strategy(&self, timeout: Duration) {
        let _ = catch_panic(|| self.strategy.scheduling().drain(timeout));
    }

    /// Force-closes the running requests. Returns the deadline for their end.
    fn force_close(&self, state: &ServerState) -> Option<Instant> {
        let (address, active) = (&state.address, state.active());
        log_event!(
            Info,
            "{address}: the grace period has expired, force-closing {active}"
        );
        let deadline = state.life_cycle.force_close_deadline();
        let is_first = state.life_cycle.begin_force_close();
        self.force_close_connections(state);
        if !is_first {
            return deadline;
        }
        // Force-closing thousands of connections uses up a part of the time. The last of them get a
        // minimum.
        let min_time = state.shutdown_config().min_force_close_time();
        let min_deadline = Instant::now().checked_add(min_time);
        deadline.and_then(|deadline| Some(deadline.max(min_deadline?)))
    }

    /// Shuts the connections down: one after the other over `force_close_spread`, if that is set, so
    /// that their clients do not all reconnect at the same time.
    fn force_close_connections(&self, state: &ServerState) {
        let spread = state.shutdown_config().force_close_spread;
        if spread > Duration::ZERO {
            let live = state.connections.live();
            let live: Vec<_> = live.iter().map(Arc::downgrade).collect();
            let start = Instant::now();
            for (connection, number) in live.iter().zip(0u32..) {
                let fraction = f64::from(number) / live.len() as f64;
                let due = start.checked_add(spread.mul_f64(fraction));
                if state.wait_until_idle(due) {
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

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

impl<M: Strategy> Drop for DrainOnDrop<M> {
    fn drop(&mut self) {
        self.drain();
    }
}
