//! When an accept loop tries to take in the next request.

use std::time::{Duration, Instant};

/// What a loop remembers from turn to turn: whether to guess that the next request is there
/// already, and how long to back off.
///
/// Under load, requests queue up, and taking one without asking `poll` first saves a system call
/// for each. Where the guess was wrong it has wasted one, so after a wrong guess it is made less
/// often, down to every 32nd time.
#[derive(Default)]
pub(super) struct Pace {
    guess: bool,
    /// How many requests to wait for properly before guessing again.
    skip: u32,
    caution: u32,
    /// How many errors there were since the last request.
    stumbles: u32,
    delay: Duration,
    /// When to try again after an error.
    retry_at: Option<Instant>,
    /// Since when there have been no descriptors, if there are none.
    pub(super) starving_since: Option<Instant>,
    /// How often there was one, and then there was none after all.
    false_hopes: u32,
    hopeless_until: Option<Instant>,
}

impl Pace {
    const MAX_CAUTION: u32 = 32;
    const MAX_STUMBLES: u32 = 16;
    const FIRST_DELAY: Duration = Duration::from_millis(10);
    const LONGEST_DELAY: Duration = Duration::from_secs(1);
    /// How often to look whether there is a descriptor again, that somebody else has closed.
    pub(super) const LOOK_AROUND: Duration = Duration::from_millis(50);
    /// How long clients are left waiting for a descriptor.
    pub(super) const HUNGER: Duration = Duration::from_secs(1);
    /// How often they begin to wait anew because there seemed to be one.
    const HOPES: u32 = 5;
    /// How many of them are turned away without looking around.
    pub(super) const AT_ONCE: u32 = 256;

    pub(super) fn is_request_likely(&self) -> bool {
        self.guess
    }

    pub(super) fn found(&mut self, guessed: bool) {
        if guessed {
            self.caution = 0;
        }
        self.guess = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        self.stumbles = 0;
        self.recover();
    }

    /// Nobody waits for what there is none of.
    pub(super) fn recover(&mut self) {
        self.retry_at = None;
        self.delay = Duration::ZERO;
        self.starving_since = None;
        self.false_hopes = 0;
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
    pub(super) fn stumbled(&mut self) {
        self.stumbles += 1;
        if self.stumbles > Self::MAX_STUMBLES {
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
    pub(super) fn starve(&mut self) {
        let now = Instant::now();
        self.starving_since.get_or_insert(now);
        let delay = Self::FIRST_DELAY * (1 << self.false_hopes.min(7));
        self.hopeless_until = (self.false_hopes > 0).then(|| now + delay);
    }

    /// How long not to look whether there is a descriptor.
    pub(super) fn calm(&self) -> Option<Duration> {
        self.hopeless_until?.checked_duration_since(Instant::now())
    }

    /// There seems to be a descriptor: tries again now. If somebody else gets it, clients have to wait
    /// once more; but not for ever, if that is always so.
    pub(super) fn retry(&mut self) {
        self.retry_at = None;
        self.false_hopes += 1;
        if self.false_hopes < Self::HOPES {
            self.starving_since = None;
        }
    }

    /// How long it is until the next try; `None` if that is now.
    pub(super) fn penalty(&mut self) -> Option<Duration> {
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
        let mut pace = Pace::default();
        let mut guesses = 0;
        // A client that always waits for its answer: never a second request in the queue.
        for _ in 0..1000 {
            pace.found(false);
            if pace.is_request_likely() {
                guesses += 1;
                pace.missed(true);
            }
        }
        assert!((5..100).contains(&guesses), "{guesses} guesses");
        // The queue fills: from the next guess on, every one is right.
        while !pace.is_request_likely() {
            pace.found(false);
        }
        for _ in 0..100 {
            pace.found(true);
            assert!(pace.is_request_likely());
        }
    }

    #[test]
    fn many_errors_in_a_row_are_not_those_of_clients() {
        let mut pace = Pace::default();
        for _ in 0..Pace::MAX_STUMBLES {
            pace.stumbled();
            assert_eq!(pace.penalty(), None);
        }
        pace.stumbled();
        assert!(pace.penalty().is_some());
    }

    #[test]
    fn back_off_doubles_up_to_a_second_and_starts_anew() {
        let mut pace = Pace::default();
        let delays = [(); 9].map(|()| {
            pace.back_off();
            assert!(pace.penalty().is_some_and(|left| left <= pace.delay));
            pace.delay.as_millis()
        });
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        pace.found(false);
        pace.back_off();
        assert_eq!(pace.delay.as_millis(), 10);
    }
}
