//! The end: serving those who wait, waiting for running requests, and cutting off those that take too
//! long.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::ServerHandle;
use super::core::Core;
use super::current;
use crate::logging::log_event;
use crate::panics::contain;
use crate::request::RequestInfo;
use crate::strategy::Strategy;

/// What came of the requests that a server had when it was stopped: from
/// [`Server::server_close`](crate::Server::server_close) and
/// [`RunningServer::stop`](crate::RunningServer::stop).
///
/// It counts from the moment when the stop was asked for, or, without one, when the server was closed. The
/// books balance: `running + accepted` is `completed + failed + refused + dropped` and the lengths of
/// `interrupted` and `abandoned`.
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
    pub refused: usize,
    /// Requests that the strategy has dropped since.
    pub dropped: usize,
    /// Requests whose connection was cut, or whose child process was told to end, when the grace period
    /// was over, and that have ended then; with what they were doing at that moment.
    pub interrupted: Vec<RequestInfo>,
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
    pub(super) fn of(core: &Core) -> Self {
        /// Some may be ending just now, counted in one place and not yet in the other.
        const MOMENT: Duration = Duration::from_millis(10);

        let begun = Instant::now();
        loop {
            let report = Self::at_a_glance(core);
            if report.balances() || begun.elapsed() > MOMENT {
                return report;
            }
            thread::yield_now();
        }
    }

    /// The counters decide; the lists are of about the same moment, in which requests may be ending.
    fn at_a_glance(core: &Core) -> Self {
        let before = core.life.before().unwrap_or_default();
        let listed = core.requests();
        let stats = core.stats();
        let since = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);

        // Noted before they are counted: the last of them may not have been.
        let mut interrupted = core.interrupted();
        let counted = since(stats.interrupted, before.interrupted);
        let ending = interrupted.split_off(counted.min(interrupted.len()));

        let ids = |requests: &[RequestInfo]| -> HashSet<_> {
            requests.iter().map(RequestInfo::id).collect()
        };
        let known: HashSet<_> = &ids(&interrupted) | &ids(&ending);
        let mut abandoned = listed;
        abandoned.retain(|one| !known.contains(&one.id()));
        abandoned.extend(ending);
        // Some were on the list, and had ended when it was counted.
        let active = since(stats.active, 0);
        if abandoned.len() > active {
            let still = ids(&core.requests());
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
            refused: since(stats.refused, before.refused),
            dropped: since(stats.dropped, before.dropped),
            interrupted,
            abandoned,
            took: core.life.since_stop(),
        }
    }

    fn balances(&self) -> bool {
        let ended = self.completed + self.failed + self.refused + self.dropped;
        let listed = self.interrupted.len() + self.abandoned.len();
        self.running + self.accepted == ended + listed
    }

    pub(super) fn log(&self, core: &Core) {
        let address = &core.address;
        if self.interrupted.is_empty() && self.abandoned.is_empty() {
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
            "stopped in {:.1?}: of {} running and {} accepted since, {} completed, {} failed, {} refused, \
             {} interrupted, {} abandoned",
            self.took,
            self.running,
            self.accepted,
            self.completed,
            self.failed,
            self.refused + self.dropped,
            self.interrupted.len(),
            self.abandoned.len(),
        )?;
        for (what, requests) in [
            ("interrupted", &self.interrupted),
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

/// What becomes of clients that have connected, and have not been accepted, when the server is closed;
/// see [`Server::waiting_clients`](crate::Server::waiting_clients).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitingClients {
    /// They are accepted and served, as long as the grace period lasts; those that are left then are
    /// refused.
    Serve,
    /// They are accepted, sent these bytes (none, if empty), and closed in order.
    Refuse(Vec<u8>),
    /// They are left where they are. If nobody else has the listening socket, the kernel resets them.
    Leave,
}

/// Takes care of those who wait in the queue of the listening socket, until then; `None` is without
/// limit. It has the last share of the socket, which is closed when it is done.
pub(super) type FinishQueue =
    Box<dyn FnOnce(&Arc<dyn Strategy>, &WaitingClients, Option<Instant>) + Send + Sync>;

/// The strategy of a server, together with the duty to see its requests to their end.
pub(super) struct DrainOnDrop<M: Strategy> {
    /// `None` once that is done, or has become somebody else's duty.
    core: Option<Arc<Core>>,
    finish_queue: Option<FinishQueue>,
    /// Shared with the accept loops, some of whose threads may outlive the server.
    pub(super) strategy: Arc<M>,
    pub(super) block_on_close: bool,
    pub(super) waiting_clients: WaitingClients,
}

impl<M: Strategy> DrainOnDrop<M> {
    pub(super) fn new(handle: &ServerHandle, strategy: M, finish_queue: FinishQueue) -> Self {
        Self {
            core: Some(Arc::clone(&handle.0)),
            finish_queue: Some(finish_queue),
            strategy: Arc::new(strategy),
            block_on_close: true,
            waiting_clients: WaitingClients::Serve,
        }
    }

    /// The same duty with another strategy.
    pub(super) fn with<N: Strategy>(mut self, strategy: N) -> DrainOnDrop<N> {
        // It may have served before; what it has begun goes on by itself.
        let _ = contain(|| self.strategy.server_close(Duration::ZERO));
        DrainOnDrop {
            core: self.core.take(),
            finish_queue: self.finish_queue.take(),
            strategy: Arc::new(strategy),
            block_on_close: self.block_on_close,
            waiting_clients: self.waiting_clients.clone(),
        }
    }

    pub(super) fn drain(&mut self) -> DrainReport {
        let (Some(core), finish_queue) = (self.core.take(), self.finish_queue.take()) else {
            return DrainReport::default();
        };
        // In a forked child, all that is to be waited for is in its parent.
        if core.is_copy() {
            return DrainReport::default();
        }
        let cut_at = core.life.begin_closing(|| core.stats());
        // A handler that closes its own server must not wait for itself, nor serve others meanwhile.
        let waits = !current::is_busy_for(&core);
        if let Some(finish_queue) = finish_queue {
            let strategy = Arc::clone(&self.strategy) as Arc<dyn Strategy>;
            let until = if waits { cut_at } else { Some(Instant::now()) };
            let finished = || finish_queue(&strategy, &self.waiting_clients, until);
            let _ = contain(finished);
        }
        // Whatever has ended without anybody looking does not count as running.
        self.drain_strategy(Duration::ZERO);
        let mut closed_by = core.life.closed_by();
        if self.block_on_close && waits && !self.wait(&core, cut_at) {
            let (address, left) = (&core.address, core.active());
            log_event!(
                Info,
                "{address}: the grace period is over, cutting off {left}"
            );
            closed_by = core.life.closed_by();
            let is_first = core.life.begin_cutting();
            self.cut_off(&core);
            if is_first {
                // Cutting thousands takes a part of it; the last of them have theirs all the same.
                let last = Instant::now().checked_add(core.patience().last_words());
                closed_by = closed_by.and_then(|closed_by| Some(closed_by.max(last?)));
            }
            self.wait(&core, closed_by);
        }
        // Threads that still run a request are not waited for a second time.
        let grace = if core.active() == 0 {
            closed_by.map_or(Duration::MAX, left_until)
        } else {
            Duration::ZERO
        };
        let _ = contain(|| self.strategy.server_close(grace));
        core.life.end(|| core.waker.wake());
        let report = DrainReport::of(&core);
        report.log(&core);
        report
    }

    /// Waits until no request is running, at most until `deadline`. Returns whether it came to that.
    fn wait(&self, core: &Core, deadline: Option<Instant>) -> bool {
        self.drain_strategy(deadline.map_or(Duration::MAX, left_until));
        core.wait_until_idle(deadline)
    }

    fn drain_strategy(&self, timeout: Duration) {
        let _ = contain(|| self.strategy.drain(timeout));
    }

    /// Cuts the connections, one after the other if they are to be spread over a time, so that their
    /// clients do not all come back at once.
    fn cut_off(&self, core: &Core) {
        let spread = core.patience().spread;
        if spread > Duration::ZERO {
            let live = core.connections.live();
            let live: Vec<_> = live.iter().map(Arc::downgrade).collect();
            let begun = Instant::now();
            for (connection, number) in live.iter().zip(0u32..) {
                let part = f64::from(number) / live.len() as f64;
                let deadline = begun.checked_add(spread.mul_f64(part));
                if core.wait_until_idle(deadline) {
                    return;
                }
                if let Some(connection) = connection.upgrade() {
                    connection.cut();
                }
            }
        }
        core.connections.cut();
        let _ = contain(|| self.strategy.interrupt());
    }
}

fn left_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

impl<M: Strategy> Drop for DrainOnDrop<M> {
    fn drop(&mut self) {
        self.drain();
    }
}
