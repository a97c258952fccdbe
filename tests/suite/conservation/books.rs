//! What was counted, and whether it adds up.

use std::collections::BTreeSet;

use socketserver::{DrainReport, Stats};

use super::guest::Lot;
use super::talk::Fate;

/// The counters add up, at any moment.
pub(crate) fn balance(stats: &Stats) {
    assert_eq!(stats.accepted, ended_by(stats) + stats.active, "{stats:?}");
    let by = &stats.rejected_by;
    let limits = by.max_connections + by.max_per_client + by.accept_rate;
    let others = by.verify_request + by.strategy + by.descriptors + by.closing;
    assert_eq!(stats.rejected, limits + others, "{stats:?}");
}

/// After everything has ended.
pub(crate) fn is_settled(stats: &Stats) {
    balance(stats);
    assert_eq!((stats.active, stats.dropped), (0, 0), "{stats:?}");
}

/// The report of a stop: by itself, and together with the counters before and after. A stop may have been
/// asked for before `before`.
pub(crate) fn agree(report: &DrainReport, before: Option<&Stats>, after: &Stats) {
    let all = format!("{report:?}\nbefore: {before:?}\nafter: {after:?}");
    let DrainReport {
        running,
        accepted,
        completed,
        failed,
        refused,
        dropped,
        interrupted,
        abandoned,
        ..
    } = report;
    let ended = completed + failed + refused + dropped;
    let cut = interrupted.len() + abandoned.len();
    assert_eq!(running + accepted, ended + cut, "{all}");
    assert!(abandoned.is_empty(), "{all}");
    let ids: BTreeSet<_> = interrupted.iter().map(|request| request.id()).collect();
    assert_eq!(ids.len(), interrupted.len(), "{all}");

    // What was counted at the moment of the stop, which came after `before`.
    let at_the_stop = |after: u64, since: usize| {
        let since = since as u64;
        after.checked_sub(since).unwrap_or_else(|| panic!("{all}"))
    };
    let mut then = *after;
    then.accepted = at_the_stop(after.accepted, *accepted);
    then.completed = at_the_stop(after.completed, *completed);
    then.failed = at_the_stop(after.failed, *failed);
    then.force_closed = at_the_stop(after.force_closed, interrupted.len());
    then.rejected = at_the_stop(after.rejected, *refused);
    then.dropped = at_the_stop(after.dropped, *dropped);
    then.active = *running as u64;
    assert_eq!(then.accepted, ended_by(&then) + then.active, "{all}");
    if let Some(before) = before {
        let counts = |stats: &Stats| {
            let Stats {
                accepted,
                completed,
                failed,
                interrupted,
                refused,
                dropped,
                ..
            } = *stats;
            [accepted, completed, failed, interrupted, refused, dropped]
        };
        let pairs = counts(before).into_iter().zip(counts(&then));
        assert!(
            pairs.into_iter().all(|(before, then)| before <= then),
            "{all}"
        );
    }
}

fn ended_by(stats: &Stats) -> u64 {
    stats.completed + stats.failed + stats.force_closed + stats.rejected + stats.dropped
}

/// What clients have seen is what was counted. `strangers`: those who do not know whether they were
/// connected.
pub(crate) fn are_those_of(lots: &[Lot], strangers: u64, after: &Stats) {
    let all = format!("{lots:?}\n{strangers} strangers\n{after:?}");
    let count = |lot: Lot| lots.iter().filter(|&&other| other == lot).count() as u64;
    let (served, refused) = (count(Lot::Served), count(Lot::Refused));
    let failed = count(Lot::CutShort(Fate::Fails));
    let cut_short =
        failed + count(Lot::CutShort(Fate::Open)) + count(Lot::CutShort(Fate::Completes));
    let unknown = count(Lot::Unknown) + strangers;
    let known = lots.len() as u64 - count(Lot::Unknown);

    assert!((known..=known + unknown).contains(&after.accepted), "{all}");
    // One whose handler has just said goodbye may be counted as interrupted.
    assert!(served <= after.completed + after.force_closed, "{all}");
    assert!(after.completed <= served + unknown, "{all}");
    assert!(after.failed <= failed + unknown, "{all}");
    assert!(refused <= after.rejected, "{all}");
    // Whoever lacks answers was refused, or cut off, or has asked for a failure.
    let excuses = after.rejected + after.force_closed + failed;
    assert!(refused + cut_short <= excuses, "{all}");
}
