//! Time that passes only when a wait expires.

use ::std::cell::Cell;
use ::std::ops::{Add, Sub};

pub use ::std::time::Duration;

::std::thread_local! {
    /// The current time. A thread-local, because all threads of a search run on one thread of the system.
    /// Does not begin at zero, so that adding the longest duration overflows, as with the real clock.
    static NOW: Cell<Duration> = const { Cell::new(Duration::from_secs(1)) };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    pub fn now() -> Self {
        Self(NOW.get())
    }

    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).map(Self)
    }

    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0)
    }

    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }

    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// Advances the clock to the end of a wait that began at `start` and lasted for `duration`.
pub(crate) fn pass(start: Instant, duration: Duration) {
    NOW.set(NOW.get().max(start.0.saturating_add(duration)));
}
