//! When an accept loop tries to take in the next request.

use std::time::{Duration, Instant};

/// What a loop remembers from turn to turn: whether to guess that the next request is there
/// already, and how long to back off.
///
/// Under load, requests queue up, and taking one without asking `poll` first saves a system call
/// for each. Where the guess was wrong it has wasted one, so after a wrong guess it is made less
/// often, down to every 32nd time.
#[derive(Default)]
pub(super) struct AcceptBackoff {
    guess: bool,
    /// How many requests to wait for properly before guessing again.
    skip: u32,
    caution: u32,
    /// How many errors there were since the last request.
    consecutive_errors: u32,
    delay: Duration,
    /// When to try again after an error.
    retry_at: Option<Instant>,
    /// Since when there have been no descriptors, if there are none.
    pub(super) exhausted_since: Option<Instant>,
    /// How often there was one, and then there was none after all.
    failed_probes: u32,
    no_probe_until: Option<Instant>,
}

impl AcceptBackoff {
    const MAX_CAUTION: u32 = 32;
    const MAX_CONSECUTIVE_ERRORS: u32 = 16;
    const FIRST_DELAY: Duration = Duration::from_millis(10);
    const LONGEST_DELAY: Duration = Duration::from_secs(1);
    /// How often to look whether there is a descriptor again, that somebody else has closed.
    pub(super) const PROBE_INTERVAL: Duration = Duration::from_millis(50);
    /// How long clients are left waiting for a descriptor.
    pub(super) const SHED_AFTER: Duration = Duration::from_secs(1);
    /// How often they begin to wait anew because there seemed to be one.
    const MAX_PROBES: u32 = 5;
    /// How many of them are turned away without looking around.
    pub(super) const MAX_SHED_AT_ONCE: u32 = 256;

    pub(super) fn is_request_likely(&self) -> bool {
        self.guess
    }

    pub(super) fn found(&mut self, guessed: bool) {
        if guessed {
            self.caution = 0;
        }
        self.guess = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        self.consecutive_errors = 0;
        self.recover();
    }

    /// Nobody waits for what there is none of.
    pub(super) fn recover(&mut self) {
        self.retry_at = None;
        self.delay = Duration::ZERO;
        self.exhausted_since = None;
        self.failed_probes = 0;
    }

    /// Nobody was there.
    pub(super) fn missed(&mut self, guessed: bool) {
        // A descriptor was, or that would have been the error.
        self.recover();
        if guessed {
            self.caution = (self.caution * 2).clamp(1, Self::MAX_CAUTION);
            self.skip = self.caution;
        }
        self.guess = false;
    }

    /// An error that concerns one client. Many in a row, with no request between them, concern the
    /// server: whatever it is does not go away by trying again at once.
    pub(super) fn record_client_error(&mut self) {
        self.consecutive_errors += 1;
        if self.consecutive_errors > Self::MAX_CONSECUTIVE_ERRORS {
            self.back_off();
        }
    }

    /// Tries again a little later, and later each time.
    pub(super) fn back_off(&mut self) {
        self.guess = false;
        self.delay = (self.delay * 2).clamp(Self::FIRST_DELAY, Self::LONGEST_DELAY);
        self.retry_at = Instant::now().checked_add(self.delay);
    }

    /// There are no descriptors. Where one seemed to be free before, do not look again so soon.
    pub(super) fn record_fd_exhaustion(&mut self) {
        let now = Instant::now();
        self.exhausted_since.get_or_insert(now);
        let delay = Self::FIRST_DELAY * (1 << self.failed_probes.min(7));
        self.no_probe_until = (self.failed_probes > 0).then(|| now + delay);
    }

    /// How long not to look whether there is a descriptor.
    pub(super) fn probe_delay(&self) -> Option<Duration> {
        self.no_probe_until?.checked_duration_since(Instant::now())
    }

    /// There seems to be a descriptor: tries again now. If somebody else gets it, clients have to wait
    /// once more; but not for ever, if that is always so.
    pub(super) fn retry(&mut self) {
        self.retry_at = None;
        self.failed_probes += 1;
        if self.failed_probes < Self::MAX_PROBES {
            self.exhausted_since = None;
        }
    }

    /// How long it is until the next try; `None` if that is now.
    pub(super) fn remaining_delay(&mut self) -> Option<Duration> {
        let left = self.retry_at?.checked_duration_since(Instant::now());
        if left.is_none() {
            self.retry_at = None;
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_guess_is_repeated_less_and_less_often() {
        let mut backoff = AcceptBackoff::default();
        let mut guesses = 0;
        // A client that always waits for its answer: never a second request in the queue.
        for _ in 0..1000 {
            backoff.found(false);
            if backoff.is_request_likely() {
                guesses += 1;
                backoff.missed(true);
            }
        }
        assert!((5..100).contains(&guesses), "{guesses} guesses");
        // The queue fills: from the next guess on, every one is right.
        while !backoff.is_request_likely() {
            backoff.found(false);
        }
        for _ in 0..100 {
            backoff.found(true);
            assert!(backoff.is_request_likely());
        }
    }

    #[test]
    fn many_errors_in_a_row_are_not_those_of_clients() {
        let mut backoff = AcceptBackoff::default();
        for _ in 0..AcceptBackoff::MAX_CONSECUTIVE_ERRORS {
            backoff.record_client_error();
            assert_eq!(backoff.remaining_delay(), None);
        }
        backoff.record_client_error();
        assert!(backoff.remaining_delay().is_some());
    }

    #[test]
    fn back_off_doubles_up_to_a_second_and_starts_anew() {
        let mut backoff = AcceptBackoff::default();
        let delays = [(); 9].map(|()| {
            backoff.back_off();
            assert!(
                backoff
                    .remaining_delay()
                    .is_some_and(|left| left <= backoff.delay)
            );
            backoff.delay.as_millis()
        });
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.found(false);
        backoff.back_off();
        assert_eq!(backoff.delay.as_millis(), 10);
    }
}
