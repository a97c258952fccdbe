//! A token bucket: how many may come at once, and how fast they may come for ever.

use std::time::{Duration, Instant};

/// What is kept is a single time, not a number of tokens: when the bucket will be full again. Nothing is
/// lost by rounding then, however often, and however slowly, it is filled.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    /// How long a token takes.
    interval: Duration,
    /// How long all of them take but one.
    depth: Duration,
    begun: Instant,
    /// When it will be full, counted from `begun`.
    full_at: Duration,
    last_taken: Instant,
}

impl TokenBucket {
    /// The slowest bucket. (Slower ones would overflow, once multiplied by their size.)
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

    /// A full bucket. `None` if there is no limit.
    pub(crate) fn new(per_second: f64, size: u32, now: Instant) -> Option<Self> {
        if per_second == f64::INFINITY {
            return None;
        }
        // None per second, fewer, or no number at all: none is ever quick enough.
        let interval = Duration::try_from_secs_f64(per_second.max(0.0).recip());
        let interval = interval.unwrap_or(Self::CENTURY).min(Self::CENTURY);
        Some(Self {
            interval,
            depth: interval.saturating_mul(size.saturating_sub(1)),
            begun: now,
            full_at: Duration::ZERO,
            last_taken: now,
        })
    }

    fn passed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    /// How long it takes until there is a token; `None` if there is one.
    pub(super) fn lacks(&self, now: Instant) -> Option<Duration> {
        let at = self.full_at.saturating_sub(self.depth);
        at.checked_sub(self.passed(now))
            .filter(|left| !left.is_zero())
    }

    /// Takes a token, which has to be there.
    pub(super) fn take(&mut self, now: Instant) {
        debug_assert_eq!(self.lacks(now), None, "there is no token");
        self.full_at = self.full_at.max(self.passed(now)) + self.interval;
        self.last_taken = now;
    }

    /// Gives a token back that was not used.
    pub(super) fn put_back(&mut self) {
        self.full_at = self.full_at.saturating_sub(self.interval);
    }

    /// Since when it is empty, if it is.
    pub(super) fn empty_since(&self) -> Instant {
        self.last_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How many tokens can be had at this moment.
    fn drain(bucket: &mut TokenBucket, now: Instant) -> usize {
        let mut tokens = 0;
        while bucket.lacks(now).is_none() && tokens < 1000 {
            bucket.take(now);
            tokens += 1;
        }
        tokens
    }

    #[test]
    fn it_gives_a_burst_and_then_its_rate() {
        let start = Instant::now();
        for (per_second, size) in [(1.0, 1), (4.0, 3), (0.5, 7)] {
            let mut bucket = TokenBucket::new(per_second, size, start).unwrap();
            let interval = SECOND.div_f64(per_second);
            assert_eq!(drain(&mut bucket, start), size as usize);
            assert_eq!(bucket.lacks(start), Some(interval));
            assert_eq!(bucket.lacks(start + interval / 4), Some(interval / 4 * 3));
            assert_eq!(drain(&mut bucket, start + interval), 1);
            assert_eq!(
                drain(&mut bucket, start + 3 * interval),
                2.min(size as usize)
            );
            // However long nobody comes, there are no more than fit in.
            assert_eq!(drain(&mut bucket, start + 1000 * interval), size as usize);
        }
    }

    #[test]
    fn what_is_put_back_is_there_again() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1.0, 2, start).unwrap();
        bucket.take(start);
        bucket.take(start);
        bucket.put_back();
        assert_eq!(drain(&mut bucket, start), 1);
        let later = start + 5 * SECOND;
        bucket.take(later);
        bucket.put_back();
        bucket.put_back();
        assert_eq!(drain(&mut bucket, later), 2, "it holds no more than before");
    }

    #[test]
    fn any_number_is_a_rate() {
        let start = Instant::now();
        assert!(TokenBucket::new(f64::INFINITY, 1, start).is_none());
        for never in [
            0.0,
            -0.0,
            -1.0,
            f64::NAN,
            f64::NEG_INFINITY,
            1e-300,
            f64::MIN_POSITIVE,
        ] {
            for size in [0, 1, 3] {
                let mut bucket = TokenBucket::new(never, size, start).unwrap();
                let burst = size.max(1) as usize;
                assert_eq!(drain(&mut bucket, start), burst, "{never} {size}");
                assert_eq!(drain(&mut bucket, start + 1_000_000 * SECOND), 0, "{never}");
            }
        }
        // The largest of the slowest.
        let mut bucket = TokenBucket::new(0.0, u32::MAX, start).unwrap();
        assert_eq!(drain(&mut bucket, start), 1000);
        // Faster than the clock.
        let mut bucket = TokenBucket::new(1e300, 1, start).unwrap();
        assert_eq!(drain(&mut bucket, start), 1000);
    }

    #[test]
    fn a_slow_bucket_that_is_often_looked_at_fills() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1.0, 1_000_000, start).unwrap();
        for _ in 0..1_000_000 {
            bucket.take(start);
        }
        let step = Duration::from_nanos(1_000_001);
        let looks = (1..=1000).filter(|&n| bucket.lacks(start + n * step).is_some());
        assert_eq!(looks.count(), 999);
    }
}
