//! A token bucket: limits the size of a burst and the long-term rate.

use std::time::{Duration, Instant};

/// Stores the time when the bucket is full again instead of a number of tokens. Therefore no fraction of a
/// token is lost by rounding, also if the rate is low and the bucket is read often.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    /// Time in which one token is added.
    interval: Duration,
    /// Time in which all tokens but one are added.
    depth: Duration,
    created_at: Instant,
    /// Time when the bucket is full, as an offset from `created_at`.
    full_at: Duration,
    last_taken: Instant,
}

impl TokenBucket {
    /// The longest interval, because a longer one could overflow when multiplied by the size.
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

    /// Creates a full bucket. Returns `None` if the rate is infinite.
    pub(crate) fn new(per_second: f64, size: u32, now: Instant) -> Option<Self> {
        if per_second == f64::INFINITY {
            return None;
        }
        // Zero, negative rates and NaN give the longest interval.
        let interval = Duration::try_from_secs_f64(per_second.max(0.0).recip());
        let interval = interval.unwrap_or(Self::CENTURY).min(Self::CENTURY);
        Some(Self {
            interval,
            depth: interval.saturating_mul(size.saturating_sub(1)),
            created_at: now,
            full_at: Duration::ZERO,
            last_taken: now,
        })
    }

    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.created_at)
    }

    /// Returns the time until a token is available; `None` if one is.
    pub(super) fn time_until_token(&self, now: Instant) -> Option<Duration> {
        let at = self.full_at.saturating_sub(self.depth);
        at.checked_sub(self.elapsed(now))
            .filter(|left| !left.is_zero())
    }

    /// Takes a token. One must be available.
    pub(super) fn take(&mut self, now: Instant) {
        debug_assert_eq!(self.time_until_token(now), None, "no token is available");
        self.full_at = self.full_at.max(self.elapsed(now)) + self.interval;
        self.last_taken = now;
    }

    /// Returns an unused token.
    pub(super) fn put_back(&mut self) {
        self.full_at = self.full_at.saturating_sub(self.interval);
    }

    /// Returns the time since which the bucket is empty, if it is empty.
    pub(super) fn empty_since(&self) -> Instant {
        self.last_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Takes all tokens that are available at this moment. Returns their number.
    fn drain(bucket: &mut TokenBucket, now: Instant) -> usize {
        let mut tokens = 0;
        while bucket.time_until_token(now).is_none() && tokens < 1000 {
            bucket.take(now);
            tokens += 1;
        }
        tokens
    }

    #[test]
    fn a_bucket_allows_a_burst_and_then_its_rate() {
        let start = Instant::now();
        for (per_second, size) in [(1.0, 1), (4.0, 3), (0.5, 7)] {
            let mut bucket = TokenBucket::new(per_second, size, start).unwrap();
            let interval = SECOND.div_f64(per_second);
            assert_eq!(drain(&mut bucket, start), size as usize);
            assert_eq!(bucket.time_until_token(start), Some(interval));
            assert_eq!(
                bucket.time_until_token(start + interval / 4),
                Some(interval / 4 * 3)
            );
            assert_eq!(drain(&mut bucket, start + interval), 1);
            assert_eq!(
                drain(&mut bucket, start + 3 * interval),
                2.min(size as usize)
            );
            // The bucket never holds more than its size.
            assert_eq!(drain(&mut bucket, start + 1000 * interval), size as usize);
        }
    }

    #[test]
    fn a_token_that_is_put_back_is_available_again() {
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
        assert_eq!(
            drain(&mut bucket, later),
            2,
            "the bucket must not hold more than its size"
        );
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
        // The longest interval with the largest size.
        let mut bucket = TokenBucket::new(0.0, u32::MAX, start).unwrap();
        assert_eq!(drain(&mut bucket, start), 1000);
        // An interval below the resolution of the clock.
        let mut bucket = TokenBucket::new(1e300, 1, start).unwrap();
        assert_eq!(drain(&mut bucket, start), 1000);
    }

    #[test]
    fn a_slow_bucket_that_is_read_often_fills() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1.0, 1_000_000, start).unwrap();
        for _ in 0..1_000_000 {
            bucket.take(start);
        }
        let step = Duration::from_nanos(1_000_001);
        let reads = (1..=1000).filter(|&n| bucket.time_until_token(start + n * step).is_some());
        assert_eq!(reads.count(), 999);
    }
}
