//! The Markdown table of one workload.

use std::fmt::Write;

use crate::meter::Sample;
use crate::runner::Contender;
use crate::workload::{Shape, Workload};

pub fn table(workload: Workload, shape: &Shape, contenders: &[Contender], rounds: usize) -> String {
    let mut out = String::new();
    let reference = &contenders[0];
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "\n### {}\n\nRatios to `{}`; median values, rounds: {rounds}.\n\n\
         | peer | ratio | {} | min..max | p50 µs | p99 µs | p99.9 µs \
         | server core | CPU µs/op | ratio by CPU | others | lost |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
        workload.title(shape),
        reference.peer.name,
        workload.unit(),
    );
    for contender in contenders {
        let _ = writeln!(out, "{}", row(contender, reference));
    }
    out
}

fn row(contender: &Contender, reference: &Contender) -> String {
    let name = contender.peer.name;
    let samples: Vec<_> = contender.rounds.iter().flatten().collect();
    if samples.len() < contender.rounds.len() {
        // A median over the rounds that happened to work would look like a result.
        let failed = contender.rounds.len() - samples.len();
        return format!("| {name} | FAILED (rounds: {failed}) |{}", " |".repeat(10));
    }
    let median_of = |value: fn(&Sample) -> f64| median(samples.iter().map(|s| value(s)));
    let rates = || samples.iter().map(|sample| sample.rate);
    format!(
        "| {name} | {} | {:.0} | {:.0}..{:.0} | {:.0} | {:.0} | {:.0} | {:.0} % | {:.2} | {} | {:.0} % | {} |",
        ratio(contender, reference, |sample| sample.rate),
        median(rates()),
        rates().fold(f64::INFINITY, f64::min),
        rates().fold(0.0, f64::max),
        median_of(|sample| sample.p50),
        median_of(|sample| sample.p99),
        median_of(|sample| sample.p999),
        median_of(|sample| sample.cpu_share) * 100.0,
        median_of(|sample| sample.cpu_per_operation),
        ratio(contender, reference, |sample| sample
            .cpu_per_operation
            .recip()),
        median_of(|sample| sample.others_share) * 100.0,
        samples.iter().map(|sample| sample.lost).sum::<u64>(),
    )
}

/// The median of the ratios within a round: what slowed a whole round down cancels out.
/// There is none where the reference failed.
fn ratio(contender: &Contender, reference: &Contender, value: fn(&Sample) -> f64) -> String {
    let ratios = contender
        .rounds
        .iter()
        .zip(&reference.rounds)
        .map(|(own, reference)| Some(value(own.as_ref().ok()?) / value(reference.as_ref().ok()?)))
        .collect::<Option<Vec<_>>>();
    ratios.map_or("-".to_owned(), |ratios| {
        format!("{:.2}", median(ratios.into_iter()))
    })
}

/// The middle value, or the mean of the two in the middle; there is at least one.
fn median(values: impl Iterator<Item = f64>) -> f64 {
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
