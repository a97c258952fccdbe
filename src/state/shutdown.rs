//! A shutdown in progress.

use std::time::{Duration, Instant};

/// The begin of a shutdown and the end of its grace period.
pub(super) struct Shutdown<Baseline> {
    /// End of the grace period. `None`: never.
    force_close_at: Option<Instant>,
    baseline: Baseline,
    requested_at: Instant,
}

impl<Baseline: Clone> Shutdown<Baseline> {
    /// Begins a shutdown now. Its grace period begins after `delay`. `baseline` returns the counters.
    pub(super) fn begin(
        delay: Duration,
        grace_period: Duration,
        baseline: impl FnOnce() -> Baseline,
    ) -> Self {
        let time = delay.checked_add(grace_period);
        Self {
            force_close_at: time.and_then(|time| Instant::now().checked_add(time)),
            baseline: baseline(),
            requested_at: Instant::now(),
        }
    }

    pub(super) fn force_close_at(&self) -> Option<Instant> {
        self.force_close_at
    }

    /// Returns the counters at the begin of the shutdown.
    pub(super) fn baseline(&self) -> Baseline {
        self.baseline.clone()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.requested_at.elapsed()
    }
}
