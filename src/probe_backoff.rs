//! Back-off for attempts that may fail.

/// Decides whether to make an attempt that is cheap to skip. After a failure it skips twice as many
/// occasions as before, at most 32; after a success, half as many.
#[derive(Debug, Default)]
pub(crate) struct ProbeBackoff {
    /// Number of occasions to skip before the next attempt.
    left_to_skip: u32,
    /// Number of occasions that were to be skipped after the last attempt.
    interval: u32,
}

impl ProbeBackoff {
    const MAX_INTERVAL: u32 = 32;

    /// Returns whether to make the attempt on this occasion. If so, the caller passes the outcome to
    /// [`record`](Self::record).
    pub(crate) fn should_try(&mut self) -> bool {
        let is_due = self.left_to_skip == 0;
        self.left_to_skip = self.left_to_skip.saturating_sub(1);
        is_due
    }

    pub(crate) fn record(&mut self, succeeded: bool) {
        self.interval = if succeeded {
            self.interval / 2
        } else {
            (self.interval * 2).clamp(1, Self::MAX_INTERVAL)
        };
        self.left_to_skip = self.interval;
    }

    /// Forgets earlier failures, so that every next occasion is tried until one fails.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_less_and_less_often_until_it_succeeds() {
        let mut backoff = ProbeBackoff::default();
        let mut attempts = 0;
        for _ in 0..1000 {
            if backoff.should_try() {
                attempts += 1;
                backoff.record(false);
            }
        }
        assert!((20..60).contains(&attempts), "{attempts}");
        for _ in 0..6 {
            while !backoff.should_try() {}
            backoff.record(true);
        }
        assert!(backoff.should_try());
    }
}
