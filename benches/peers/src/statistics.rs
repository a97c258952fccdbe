//! Medians, and ratios that are taken within a round.

use crate::contender::Contender;
use crate::meter::Sample;

pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

/// The ratios within the rounds: what slowed a whole round down cancels out.
/// There are none where either failed in a round.
pub fn ratios(
    contender: &Contender,
    reference: &Contender,
    value: impl Fn(&Sample) -> f64,
) -> Option<Spread> {
    let ratios = contender
        .rounds
        .iter()
        .zip(&reference.rounds)
        .map(|(own, reference)| Some(value(own.as_ref().ok()?) / value(reference.as_ref().ok()?)))
        .collect::<Option<Vec<_>>>()?;
    let all = || ratios.iter().copied();
    Some(Spread {
        least: all().fold(f64::INFINITY, f64::min),
        median: median(all()),
        most: all().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// The middle value, or the mean of the two in the middle; there is at least one.
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
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }
}
