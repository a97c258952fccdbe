//! Whether to try something that may be in vain.

/// What is tried often while it succeeds, and less often, down to every 32nd time, while it does not.
#[derive(Debug, Default)]
pub(super) struct ProbeBackoff {
    /// How many occasions to let pass.
    skip: u32,
    caution: u32,
}

impl ProbeBackoff {
    const MAX_CAUTION: u32 = 32;

    /// Whether to try, this time. The outcome has to be [noted](Self::note).
    pub(super) fn should_try(&mut self) -> bool {
        let worth_it = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        worth_it
    }

    pub(super) fn note(&mut self, succeeded: bool) {
        self.caution = if succeeded {
            self.caution / 2
        } else {
            (self.caution * 2).clamp(1, Self::MAX_CAUTION)
        };
        self.skip = self.caution;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_less_and_less_often_until_it_succeeds() {
        let mut guess = ProbeBackoff::default();
        let mut tries = 0;
        for _ in 0..1000 {
            if guess.should_try() {
                tries += 1;
                guess.note(false);
            }
        }
        assert!((20..60).contains(&tries), "{tries}");
        for _ in 0..6 {
            while !guess.should_try() {}
            guess.note(true);
        }
        assert!(guess.should_try());
    }
}
