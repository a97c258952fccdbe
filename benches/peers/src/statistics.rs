//! Medians, and ratios within a round.

use crate::contender::Contender;
use crate::meter::Sample;

pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

/// Ratios of two peers within each round. A disturbance of the whole round cancels out. A disturbance
/// of one peer does not, so such rounds count only if there are no others. Returns `None` if either
/// peer failed in a round.
pub fn ratios(
    contender: &Contender,
    reference: &Contender,
    value: impl Fn(&Sample) -> f64,
) -> Option<Spread> {
    let rounds = contender.rounds.iter().zip(&reference.rounds);
    let pairs = rounds
        .map(|(own, reference)| Some((own.as_ref().ok()?, reference.as_ref().ok()?)))
        .collect::<Option<Vec<_>>>()?;
    let pairs = preferably(pairs, |(own, reference)| {
        !own.is_disturbed() && !reference.is_disturbed()
    });
    let ratios = || pairs.iter().map(|(own, other)| value(own) / value(other));
    Some(Spread {
        least: ratios().fold(f64::INFINITY, f64::min),
        median: median(ratios()),
        most: ratios().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// The wanted elements, or all if none is wanted.
pub fn preferably<T: Copy>(all: Vec<T>, wanted: impl Fn(&T) -> bool) -> Vec<T> {
    let best: Vec<_> = all.iter().copied().filter(wanted).collect();
    if best.is_empty() { all } else { best }
}

/// The middle value, or the mean of the two middle values. Panics if there are no values.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::{median, preferably};

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }

    #[test]
    fn all_elements_count_if_none_is_wanted() {
        assert_eq!(preferably(vec![1, 2, 3], |&number| number > 1), [2, 3]);
        assert_eq!(preferably(vec![1, 2, 3], |&number| number > 3), [1, 2, 3]);
    }
}
