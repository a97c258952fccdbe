//! A clock that costs next to nothing to read.

use std::time::Duration;

/// A moment, exact to a few milliseconds: what ages and idle times are counted by. It is read for every
/// message, so it must not be a system call, nor ask the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    #[inline]
    pub(crate) fn now() -> Self {
        Self(milliseconds())
    }

    /// What [`from_bits`](Self::from_bits) makes the same moment of.
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::now().since(self)
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn milliseconds() -> u64 {
    use nix::time::{ClockId, clock_gettime};

    // By the C library: `rustix` looks for the kernel's function in a way that valgrind does not survive.
    // No kernel in use lacks this clock; ages would be zero there.
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE);
    now.map_or(0, |now| {
        now.tv_sec().unsigned_abs() * 1000 + now.tv_nsec().unsigned_abs() / 1_000_000
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn milliseconds() -> u64 {
    static BEGINNING: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let begun = BEGINNING.get_or_init(std::time::Instant::now);
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_by() {
        let earlier = Moment::now();
        std::thread::sleep(Duration::from_millis(30));
        assert!(earlier.elapsed() >= Duration::from_millis(15));
        assert_eq!(earlier.since(Moment::now()), Duration::ZERO);
        assert_eq!(Moment::from_bits(earlier.to_bits()), earlier);
    }
}
