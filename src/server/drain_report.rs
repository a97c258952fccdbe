//! The report of a stop.

use std::collections::HashSet;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use crate::logging::log_event;
use crate::state::{RequestInfo, ServerState};

/// What became of the requests of a server that was stopped: from
/// [`Server::server_close`](crate::Server::server_close) and
/// [`RunningServer::stop`](crate::RunningServer::stop). Nothing in Python.
///
/// It counts from the moment when the stop was requested, or, without a request, when the server was
/// closed. The counts add up: `running + accepted` is `completed + failed + disconnected + rejected + dropped`
/// plus the lengths of `force_closed` and `abandoned`.
///
/// Its text (`Display`) is a line for a log, and one more line for each force-closed or abandoned
/// request, up to 20 of each.
///
/// ```
/// use socketserver::prelude::*;
///
/// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
/// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
/// # let client = std::net::TcpStream::connect(server.server_address())?;
/// # assert_eq!(std::io::read_to_string(client)?, "hi");
/// let report: DrainReport = server.stop()?;
/// assert!(report.force_closed.is_empty() && report.abandoned.is_empty());
/// println!("{report}");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DrainReport {
    /// Number of requests that were running or waiting for a thread at that moment.
    pub running: usize,
    /// Number of requests accepted since: as a [lame duck](crate::Server::lame_duck), and from the
    /// backlog.
    pub accepted: usize,
    /// Number of requests whose handler has succeeded since.
    pub completed: usize,
    /// Number of requests whose handler has failed since.
    pub failed: usize,
    /// Number of requests whose client was gone since: [`Stats::disconnected`](crate::Stats::disconnected).
    pub disconnected: usize,
    /// Number of requests rejected since, without a handler.
    pub rejected: usize,
    /// Number of requests that the strategy has dropped since.
    pub dropped: usize,
    /// Requests that the server force-closed when the grace period expired, and that have ended since:
    /// it shut down their connection, or sent SIGTERM to their child process. Each with its state at
    /// that moment.
    pub force_closed: Vec<RequestInfo>,
    /// Requests that have not ended in spite of that, because their handlers neither read nor write.
    /// They run until the program ends. (A child process is killed.)
    pub abandoned: Vec<RequestInfo>,
    /// Duration of the stop, the time as a [lame duck](crate::Server::lame_duck) included.
    pub took: Duration,
}

impl DrainReport {
    /// Number of requests of a kind that the text shows.
    const MAX_SHOWN: usize = 20;

    /// Reports what has become of the requests by now.
    ///
    /// A request that is ending is removed from a list and added to a counter in two steps. So the
    /// report is taken anew until its counts add up, for at most 10 ms.
    pub(super) fn of(state: &ServerState) -> Self {
        const MAX_TIME: Duration = Duration::from_millis(10);

        let start = Instant::now();
        loop {
            let report = Self::snapshot(state);
            if report.adds_up() || start.elapsed() > MAX_TIME {
                return report;
            }
            thread::yield_now();
        }
    }

    /// Reads the lists and the counters once. The counters decide how many requests are force-closed
    /// and abandoned; the lists, read at about the same moment, contribute the details.
    fn snapshot(state: &ServerState) -> Self {
        let before = state.life_cycle.baseline().unwrap_or_default();
        let listed = state.requests();
        let stats = state.stats();
        let since = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);

        // Requests are listed as force-closed before they are counted, so the last ones listed may
        // still be ending.
        let mut force_closed = state.force_closed();
        let counted = since(stats.force_closed, before.force_closed);
        let ending = force_closed.split_off(counted.min(force_closed.len()));
        let active = since(stats.active, 0);
        let abandoned = Self::abandoned(state, listed, &force_closed, ending, active);
        Self {
            running: since(before.active, 0),
            accepted: since(stats.accepted, before.accepted),
            completed: since(stats.completed, before.completed),
            failed: since(stats.failed, before.failed),
            disconnected: since(stats.disconnected, before.disconnected),
            rejected: since(stats.rejected, before.rejected),
            dropped: since(stats.dropped, before.dropped),
            force_closed,
            abandoned,
            took: state.life_cycle.since_stop(),
        }
    }

    /// Returns the requests among `listed` and `ending` that have not ended: `active` of them, if the
    /// lists allow it.
    fn abandoned(
        state: &ServerState,
        listed: Vec<RequestInfo>,
        force_closed: &[RequestInfo],
        ending: Vec<RequestInfo>,
        active: usize,
    ) -> Vec<RequestInfo> {
        let known = &ids(force_closed) | &ids(&ending);
        let mut abandoned = listed;
        abandoned.retain(|request| !known.contains(&request.id()));
        abandoned.extend(ending);
        // Requests may have ended after they were listed and before they were counted.
        let mut surplus = abandoned.len().saturating_sub(active);
        if surplus > 0 {
            let still_listed = ids(&state.requests());
            abandoned.retain(|request| {
                let has_ended = surplus > 0 && !still_listed.contains(&request.id());
                surplus -= usize::from(has_ended);
                !has_ended
            });
        }
        for request in &mut abandoned {
            request.sender = None;
        }
        abandoned
    }

    fn adds_up(&self) -> bool {
        let by_themselves = self.completed + self.failed + self.disconnected;
        let ended = by_themselves + self.rejected + self.dropped;
        let listed = self.force_closed.len() + self.abandoned.len();
        self.running + self.accepted == ended + listed
    }

    /// Adds the numbers and the lists of another report. The longer duration stays.
    pub(super) fn add(&mut self, other: &Self) {
        let Self {
            running,
            accepted,
            completed,
            failed,
            disconnected,
            rejected,
            dropped,
            force_closed,
            abandoned,
            took,
        } = other;
        self.running += running;
        self.accepted += accepted;
        self.completed += completed;
        self.failed += failed;
        self.disconnected += disconnected;
        self.rejected += rejected;
        self.dropped += dropped;
        self.force_closed.extend_from_slice(force_closed);
        self.abandoned.extend_from_slice(abandoned);
        self.took = self.took.max(*took);
    }

    pub(super) fn log(&self, state: &ServerState) {
        let address = &state.address;
        if self.force_closed.is_empty() && self.abandoned.is_empty() {
            log_event!(Info, "{address}: {self}");
        } else {
            log_event!(Warn, "{address}: not all requests ended in time: {self}");
        }
    }
}

fn ids(requests: &[RequestInfo]) -> HashSet<u64> {
    requests.iter().map(RequestInfo::id).collect()
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stopped in {:.1?}: of {} running and {} accepted since, {} completed, {} failed, \
             {} disconnected, {} rejected, {} force-closed, {} abandoned",
            self.took,
            self.running,
            self.accepted,
            self.completed,
            self.failed,
            self.disconnected,
            self.rejected + self.dropped,
            self.force_closed.len(),
            self.abandoned.len(),
        )?;
        for (what, requests) in [
            ("force-closed", &self.force_closed),
            ("abandoned", &self.abandoned),
        ] {
            for request in requests.iter().take(Self::MAX_SHOWN) {
                write!(f, "\n{what}: {request}")?;
            }
            if let Some(more @ 1..) = requests.len().checked_sub(Self::MAX_SHOWN) {
                write!(f, "\n{what}: {more} more")?;
            }
        }
        Ok(())
    }
}
