//! The settings of a stop.

use std::time::Duration;

/// What can be chosen about the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShutdownConfig {
    pub(crate) lame_duck: Duration,
    pub(crate) grace_period: Duration,
    pub(crate) force_close_spread: Duration,
    pub(crate) force_close_timeout: Duration,
}

impl ShutdownConfig {
    pub(crate) const DEFAULT: Self = Self {
        lame_duck: Duration::ZERO,
        grace_period: Duration::from_secs(2),
        force_close_spread: Duration::ZERO,
        force_close_timeout: Duration::from_millis(150),
    };

    /// How long those have at least who are cut off last.
    pub(crate) fn min_force_close_time(&self) -> Duration {
        if self.force_close_spread > Duration::ZERO {
            self.force_close_timeout
        } else {
            self.force_close_timeout / 3
        }
    }
}
