//! The report of a stop.

use std::collections::HashSet;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use crate::logging::log_event;
use crate::state::{RequestInfo, ServerState};

/// What came of the requests that a server had when it was stopped: from
/// [`Server::server_close`](crate::Server::server_close) and
/// [`RunningServer::stop`](crate::RunningServer::stop).
///
/// It counts from the moment when the stop was asked for, or, without one, when the server was closed. The
/// books balance: `running + accepted` is `completed + failed + rejected + dropped` and the lengths of
/// `force_closed` and `abandoned`.
///
/// Its text (`Display`) is a line for a log, and one more for each request that was cut off, up to 20 of a
/// kind.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DrainReport {
    /// Requests that were running, or waiting for a thread, at that moment.
    pub running: usize,
    /// Requests taken in since: by a [lame duck](crate::Server::lame_duck), and from the queue of the
    /// listening socket.
    pub accepted: usize,
    /// Requests whose handler has succeeded since.
    pub completed: usize,
    /// Requests whose handler has failed since.
    pub failed: usize,
    /// Clients turned away since, without a handler.
    pub rejected: usize,
    /// Requests that the strategy has dropped since.
    pub dropped: usize,
    /// Requests whose connection was cut, or whose child process was told to end, when the grace period
    /// was over, and that have ended then; with what they were doing at that moment.
    pub force_closed: Vec<RequestInfo>,
    /// Requests that did not even end then, because their handlers neither read nor write. They
    /// go on until the program ends. (A child process is killed.)
    pub abandoned: Vec<RequestInfo>,
    /// How long the stop took, the time as a [lame duck](crate::Server::lame_duck) included.
    pub took: Duration,
}

impl DrainReport {
    /// How many of a kind its text names.
    const SHOWN: usize = 20;

    /// What has become of them by now.
    pub(super) fn of(state: &ServerState) -> Self {
        /// Some may be ending just now, counted in one place and not yet in the other.
        const MOMENT: Duration = Duration::from_millis(10);

        let begun = Instant::now();
        loop {
            let report = Self::at_a_glance(state);
            if report.balances() || begun.elapsed() > MOMENT {
                return report;
            }
            thread::yield_now();
        }
    }

    /// The counters decide; the lists are of about the same moment, in which requests may be ending.
    fn at_a_glance(state: &ServerState) -> Self {
        let before = state.life_cycle.baseline().unwrap_or_default();
        let list_entry = state.requests();
        let stats = state.stats();
        let since = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);

        // Noted before they are counted: the last of them may not have been.
        let mut force_closed = state.force_closed();
        let counted = since(stats.force_closed, before.force_closed);
        let ending = force_closed.split_off(counted.min(force_closed.len()));

        let ids = |requests: &[RequestInfo]| -> HashSet<_> {
            requests.iter().map(RequestInfo::id).collect()
        };
        let known: HashSet<_> = &ids(&force_closed) | &ids(&ending);
        let mut abandoned = list_entry;
        abandoned.retain(|one| !known.contains(&one.id()));
        abandoned.extend(ending);
        // Some were on the list, and had ended when it was counted.
        let active = since(stats.active, 0);
        if abandoned.len() > active {
            let still = ids(&state.requests());
            let mut surplus = abandoned.len() - active;
            abandoned.retain(|one| {
                let ended = surplus > 0 && !still.contains(&one.id());
                surplus -= usize::from(ended);
                !ended
            });
        }
        for request in &mut abandoned {
            request.sender = None;
        }
        Self {
            running: since(before.active, 0),
            accepted: since(stats.accepted, before.accepted),
            completed: since(stats.completed, before.completed),
            failed: since(stats.failed, before.failed),
            rejected: since(stats.rejected, before.rejected),
            dropped: since(stats.dropped, before.dropped),
            force_closed,
            abandoned,
            took: state.life_cycle.since_stop(),
        }
    }

    fn balances(&self) -> bool {
        let ended = self.completed + self.failed + self.rejected + self.dropped;
        let list_entry = self.force_closed.len() + self.abandoned.len();
        self.running + self.accepted == ended + list_entry
    }

    pub(super) fn log(&self, state: &ServerState) {
        let address = &state.address;
        if self.force_closed.is_empty() && self.abandoned.is_empty() {
            log_event!(Info, "{address}: {self}");
        } else {
            log_event!(Warn, "{address}: not all ended in time: {self}");
        }
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stopped in {:.1?}: of {} running and {} accepted since, {} completed, {} failed, {} rejected, \
             {} force_closed, {} abandoned",
            self.took,
            self.running,
            self.accepted,
            self.completed,
            self.failed,
            self.rejected + self.dropped,
            self.force_closed.len(),
            self.abandoned.len(),
        )?;
        for (what, requests) in [
            ("force_closed", &self.force_closed),
            ("abandoned", &self.abandoned),
        ] {
            for request in requests.iter().take(Self::SHOWN) {
                write!(f, "\n{what}: {request}")?;
            }
            if let Some(more @ 1..) = requests.len().checked_sub(Self::SHOWN) {
                write!(f, "\n{what}: {more} more")?;
            }
        }
        Ok(())
    }
}
