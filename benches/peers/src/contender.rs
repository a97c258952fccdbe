//! A peer in a comparison, with its samples.

use crate::meter::Sample;
use crate::peer::Peer;
use crate::statistics;

/// A peer and its result in each round: a sample, or an error message.
pub struct Contender {
    pub peer: Peer,
    pub rounds: Vec<std::result::Result<Sample, String>>,
}

impl Contender {
    pub fn failures(&self) -> usize {
        self.rounds.iter().filter(|round| round.is_err()).count()
    }

    /// The median of the undisturbed rounds, or of all successful rounds if each was disturbed.
    pub fn median(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        let samples: Vec<_> = self.rounds.iter().flatten().collect();
        let best = statistics::preferably(samples, |sample| !sample.is_disturbed());
        statistics::median(best.into_iter().map(value))
    }
}
