//! Clock that is cheap to read and exact to a few milliseconds.

use std::time::Duration;

/// Point in time, exact to a few milliseconds, for ages and idle times. It is read for every message;
/// therefore it must need neither a system call nor a read of a hardware clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    #[inline]
    pub(crate) fn now() -> Self {
        Self(milliseconds())
    }

    /// Returns a number that [`from_bits`](Self::from_bits) converts back.
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

#[cfg(linux_api)]
#[inline]
fn milliseconds() -> u64 {
    use nix::time::{ClockId, clock_gettime};

    // Uses the C library, because valgrind fails when `rustix` looks up the kernel's function. On a
    // kernel without this clock, ages are zero; no kernel in use lacks it.
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE);
    now.map_or(0, |now| {
        #[allow(clippy::unnecessary_cast)] // 32-bit systems have 32-bit numbers
        let [seconds, nanoseconds] = [now.tv_sec(), now.tv_nsec()].map(|n| n.unsigned_abs() as u64);
        seconds * 1000 + nanoseconds / 1_000_000
    })
}

#[cfg(not(linux_api))]
fn milliseconds() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_advances() {
        let earlier = Moment::now();
        std::thread::sleep(Duration::from_millis(30));
        assert!(earlier.elapsed() >= Duration::from_millis(15));
        assert_eq!(earlier.since(Moment::now()), Duration::ZERO);
        assert_eq!(Moment::from_bits(earlier.to_bits()), earlier);
    }
}
