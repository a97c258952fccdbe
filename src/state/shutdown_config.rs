//! The configuration of a shutdown.

use std::time::Duration;

/// Settings of [`Server`](crate::Server) for a stop and the close.
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

    /// Minimum time that the connections force-closed last have to end.
    pub(crate) fn min_force_close_time(&self) -> Duration {
        if self.force_close_spread > Duration::ZERO {
            self.force_close_timeout
        } else {
            self.force_close_timeout / 3
        }
    }
}
