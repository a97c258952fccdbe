//! A peer in a comparison.

use crate::meter::Sample;
use crate::peer::Peer;
use crate::statistics;

/// A peer and what became of it in each round: a sample, or why there is none.
pub struct Contender {
    pub peer: Peer,
    pub rounds: Vec<std::result::Result<Sample, String>>,
}

impl Contender {
    pub fn failures(&self) -> usize {
        self.rounds.iter().filter(|round| round.is_err()).count()
    }

    /// The median of the rounds that did not fail, and were not disturbed if that is possible.
    pub fn median(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        let samples: Vec<_> = self.rounds.iter().flatten().collect();
        let best = statistics::preferably(samples, |sample| !sample.is_disturbed());
        statistics::median(best.into_iter().map(value))
    }
}
