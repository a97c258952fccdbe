//! Checks that counters add up and agree with the experience of clients.

use std::collections::BTreeSet;

use socketserver::{DrainReport, Stats};

use super::client::Outcome;
use super::protocol::HandlerState;

/// Checks that the counters add up, at any moment.
pub(crate) fn add_up(stats: &Stats) {
    assert_eq!(stats.accepted, ended(stats) + stats.active, "{stats:?}");
    let by = &stats.rejected_by;
    let limits = by.max_connections + by.max_per_client + by.accept_rate + by.access_list;
    let others = by.verify_request + by.strategy + by.descriptors + by.handshake + by.closing;
    assert_eq!(stats.rejected, limits + others, "{stats:?}");
}

/// Checks the counters after all requests have ended.
pub(crate) fn have_no_active_requests(stats: &Stats) {
    add_up(stats);
    assert_eq!((stats.active, stats.dropped), (0, 0), "{stats:?}");
}

/// Checks the report of a stop by itself, and against the counters before and after the stop. The stop may
/// have been requested earlier than `before` was taken.
pub(crate) fn agree_with_report(report: &DrainReport, before: Option<&Stats>, after: &Stats) {
    let all = format!("{report:?}\nbefore: {before:?}\nafter: {after:?}");
    let DrainReport {
        running,
        accepted,
        completed,
        failed,
        disconnected,
        rejected,
        dropped,
        force_closed,
        abandoned,
        ..
    } = report;
    let ended_by_themselves = completed + failed + disconnected + rejected + dropped;
    let ended_by_force = force_closed.len() + abandoned.len();
    assert_eq!(
        running + accepted,
        ended_by_themselves + ended_by_force,
        "{all}"
    );
    assert!(abandoned.is_empty(), "{all}");
    let ids: BTreeSet<_> = force_closed.iter().map(|request| request.id()).collect();
    assert_eq!(ids.len(), force_closed.len(), "{all}");

    // The counters at the moment of the stop, which is later than `before`.
    let at_the_stop = |after: u64, since: usize| {
        let since = since as u64;
        after.checked_sub(since).unwrap_or_else(|| panic!("{all}"))
    };
    let mut then = *after;
    then.accepted = at_the_stop(after.accepted, *accepted);
    then.completed = at_the_stop(after.completed, *completed);
    then.failed = at_the_stop(after.failed, *failed);
    then.disconnected = at_the_stop(after.disconnected, *disconnected);
    then.force_closed = at_the_stop(after.force_closed, force_closed.len());
    then.rejected = at_the_stop(after.rejected, *rejected);
    then.dropped = at_the_stop(after.dropped, *dropped);
    then.active = *running as u64;
    assert_eq!(then.accepted, ended(&then) + then.active, "{all}");
    if let Some(before) = before {
        let counts = |stats: &Stats| {
            [
                stats.accepted,
                stats.completed,
                stats.failed,
                stats.disconnected,
                stats.force_closed,
                stats.rejected,
                stats.dropped,
            ]
        };
        let mut pairs = counts(before).into_iter().zip(counts(&then));
        assert!(pairs.all(|(before, then)| before <= then), "{all}");
    }
}

fn ended(stats: &Stats) -> u64 {
    let by_themselves = stats.completed + stats.failed + stats.disconnected;
    by_themselves + stats.force_closed + stats.rejected + stats.dropped
}

/// Checks the counters against the outcomes of clients. `unconnected`: number of clients whose `connect`
/// failed, which the server may have accepted.
pub(crate) fn agree_with_clients(outcomes: &[Outcome], unconnected: u64, after: &Stats) {
    let all = format!("{outcomes:?}\n{unconnected} unconnected\n{after:?}");
    let count = |outcome| outcomes.iter().filter(|&&other| other == outcome).count() as u64;
    let (served, rejected) = (count(Outcome::Served), count(Outcome::Rejected));
    let failed = count(Outcome::EndedEarly(HandlerState::Failed));
    let ended_early = failed
        + count(Outcome::EndedEarly(HandlerState::Reading))
        + count(Outcome::EndedEarly(HandlerState::Completed));
    let unknown = count(Outcome::Unknown) + unconnected;
    let known = outcomes.len() as u64 - count(Outcome::Unknown);

    assert!((known..=known + unknown).contains(&after.accepted), "{all}");
    // A handler that has just sent its final answer may be counted as force-closed.
    assert!(served <= after.completed + after.force_closed, "{all}");
    assert!(after.completed <= served + unknown, "{all}");
    assert!(after.failed <= failed + unknown, "{all}");
    assert!(after.disconnected <= unknown, "{all}");
    assert!(rejected <= after.rejected, "{all}");
    // Answers are missing only if the connection was rejected or force-closed, or if the client has asked
    // its handler to fail.
    let allowed = after.rejected + after.force_closed + failed;
    assert!(rejected + ended_early <= allowed, "{all}");
}
