//! What a server has counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// A snapshot of a server's counters, from [`ServerHandle::stats`](crate::ServerHandle::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests taken in: connections accepted, datagrams received.
    pub accepted: u64,
    /// Requests whose handler succeeded.
    pub completed: u64,
    /// Requests whose handler returned an error or panicked, or whose child process crashed.
    pub failed: u64,
    /// Requests whose handler ended because the server cut the connection to stop; of a child process:
    /// because it was told to end (SIGTERM, SIGINT, SIGHUP).
    pub interrupted: u64,
    /// Requests turned away without a handler: by `verify_request`, or by the strategy.
    pub refused: u64,
    /// Requests that a strategy dropped, so that they were closed without a word; and those served by
    /// a child process of which somebody else collected the exit status.
    pub dropped: u64,
    /// Requests that are running or waiting for a thread right now: `accepted` less the five above.
    pub active: u64,
    /// Errors of the listening socket.
    pub get_request_errors: u64,
    /// How often a handler has held up a worker of [`Coroutines`](crate::Coroutines), and with it the
    /// other clients of that worker, for more than 10 ms without reading or writing.
    pub held_workers: u64,
}

/// The counters themselves.
///
/// A request is counted twice: when it is taken in, and, by how it ended, when it is over. What
/// is running is the difference, so that no third counter can disagree.
#[derive(Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    ended: [AtomicU64; Outcome::COUNT],
    get_request_errors: AtomicU64,
    held_workers: AtomicU64,
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed,
    Interrupted,
    Refused,
    /// Closed without a word, by a strategy that dropped its job.
    Dropped,
}

impl Outcome {
    const COUNT: usize = 5;
}

impl Counters {
    #[inline]
    pub(crate) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::SeqCst);
    }

    #[inline]
    pub(crate) fn count_ended(&self, outcome: Outcome) {
        self.ended[outcome as usize].fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count_get_request_error(&self) {
        self.get_request_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_held_worker(&self) {
        self.held_workers.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests are running or waiting for a thread.
    pub(crate) fn active(&self) -> u64 {
        self.stats().active
    }

    pub(crate) fn stats(&self) -> Stats {
        // What has ended is read first, so that it cannot be more than what was accepted.
        let ended = |outcome: Outcome| self.ended[outcome as usize].load(Ordering::SeqCst);
        let completed = ended(Outcome::Completed);
        let failed = ended(Outcome::Failed);
        let interrupted = ended(Outcome::Interrupted);
        let refused = ended(Outcome::Refused);
        let dropped = ended(Outcome::Dropped);
        let accepted = self.accepted.load(Ordering::SeqCst);
        Stats {
            accepted,
            completed,
            failed,
            interrupted,
            refused,
            dropped,
            active: accepted - completed - failed - interrupted - refused - dropped,
            get_request_errors: self.get_request_errors.load(Ordering::Relaxed),
            held_workers: self.held_workers.load(Ordering::Relaxed),
        }
    }
}
