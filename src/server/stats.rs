//! What a server has counted.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::accept_error::AcceptErrorKind;
use crate::timeout::TimeoutKind;

/// A snapshot of a server's counters, from [`ServerHandle::stats`](crate::ServerHandle::stats).
///
/// Every request that was taken in is counted in `accepted`, and, once it has ended, in exactly one of
/// `completed`, `failed`, `interrupted`, `refused` and `dropped`; until then it is `active`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests taken in: connections accepted, datagrams received.
    pub accepted: u64,
    /// Requests whose handler succeeded.
    pub completed: u64,
    /// Requests whose handler returned an error or panicked, or whose child process crashed.
    pub failed: u64,
    /// Requests whose connection the server cut to stop, however their handlers ended; those of child
    /// processes that were told to end (SIGTERM, SIGINT, SIGHUP).
    pub interrupted: u64,
    /// Requests turned away without a handler; [`refused_by`](Self::refused_by) says why.
    pub refused: u64,
    /// Requests that a strategy dropped, so that they were closed without a word; and those served by
    /// a child process of which somebody else collected the exit status.
    pub dropped: u64,
    /// Requests that are running or waiting for a thread right now: `accepted` less the five above.
    pub active: u64,
    /// Why requests were turned away: adds up to `refused`.
    pub refused_by: Refusals,
    /// How often a read or write of a request ran out of time.
    pub timeouts: Timeouts,
    /// Errors of the listening socket.
    pub accept_errors: AcceptErrors,
    /// Bytes received from clients; without those of child processes.
    pub bytes_received: u64,
    /// Bytes sent to clients; without those of child processes.
    pub bytes_sent: u64,
    /// How often a handler has held up a worker of [`Coroutines`](crate::Coroutines), and with it the
    /// other clients of that worker, for more than 10 ms without reading or writing.
    pub held_workers: u64,
}

/// How many requests were turned away for which reason: a part of [`Stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// [`verify_request`](crate::Service::verify_request) said no.
    pub verify_request: u64,
    /// The strategy had no room, and its policy is to turn clients away
    /// ([`WhenFull::Refuse`](crate::WhenFull::Refuse)).
    pub strategy: u64,
    /// The server had as many connections as it may have.
    pub max_connections: u64,
    /// The client's address had as many connections as it may have.
    pub max_per_client: u64,
    /// Clients came faster than the server takes them in.
    pub accept_rate: u64,
    /// The process was out of descriptors for longer than clients are left waiting.
    pub descriptors: u64,
    /// The client was still in the queue of the listening socket when the server was closed.
    pub closing: u64,
}

/// How often a read or write of a request ran out of which time: a part of [`Stats`].
///
/// These are reads and writes, not requests: a handler that tries again is counted again, and so is one
/// that wants to say good-bye when the time of the whole request is over. Those in child processes are
/// not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// [`TimeoutKind::Read`].
    pub read: u64,
    /// [`TimeoutKind::Write`].
    pub write: u64,
    /// [`TimeoutKind::FirstByte`].
    pub first_byte: u64,
    /// [`TimeoutKind::Idle`].
    pub idle: u64,
    /// [`TimeoutKind::Request`].
    pub request: u64,
}

/// How many errors of the listening socket were of which kind: a part of [`Stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptErrors {
    /// [`AcceptErrorKind::Retry`].
    pub retried: u64,
    /// [`AcceptErrorKind::BackOff`].
    pub backed_off: u64,
    /// [`AcceptErrorKind::Fatal`].
    pub fatal: u64,
}

impl AcceptErrors {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.retried + self.backed_off + self.fatal
    }
}

/// The counters themselves.
///
/// A request is counted twice: when it is taken in, and, by how it ended, when it is over. What
/// is running is the difference, so that no third counter can disagree.
#[derive(Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    ended: [AtomicU64; Outcome::COUNT],
    /// Of those who were accepted for no other purpose.
    turned_away: [AtomicU64; Refusal::COUNT],
    timeouts: [AtomicU64; TimeoutKind::COUNT],
    accept_errors: [AtomicU64; AcceptErrorKind::COUNT],
    /// Of connections that have ended, and of datagrams.
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
    held_workers: AtomicU64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed,
    Interrupted,
    Refused(Refusal),
    /// Closed without a word, by a strategy that dropped its job.
    Dropped,
}

/// Why a request was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    VerifyRequest,
    Strategy,
    MaxConnections,
    MaxPerClient,
    AcceptRate,
    Descriptors,
    Closing,
}

impl Outcome {
    const COUNT: usize = 4 + Refusal::COUNT;

    fn index(self) -> usize {
        match self {
            Self::Completed => 0,
            Self::Failed => 1,
            Self::Interrupted => 2,
            Self::Dropped => 3,
            Self::Refused(reason) => 4 + reason as usize,
        }
    }
}

impl Refusal {
    const COUNT: usize = 7;
}

impl Counters {
    #[inline]
    pub(crate) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::SeqCst);
    }

    #[inline]
    pub(crate) fn count_ended(&self, outcome: Outcome) {
        self.ended[outcome.index()].fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a request that is taken in only to be turned away. It is never active, not for a moment:
    /// one more than the limit would be.
    pub(crate) fn count_turned_away(&self, reason: Refusal) {
        self.turned_away[reason as usize].fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count_timeout(&self, kind: TimeoutKind) {
        self.timeouts[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_accept_error(&self, kind: AcceptErrorKind) {
        self.accept_errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_bytes(&self, received: u64, sent: u64) {
        if received > 0 {
            self.bytes_received.fetch_add(received, Ordering::Relaxed);
        }
        if sent > 0 {
            self.bytes_sent.fetch_add(sent, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_held_worker(&self) {
        self.held_workers.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests are running or waiting for a thread.
    pub(crate) fn active(&self) -> u64 {
        // What has ended is read first, so that it cannot be more than what was accepted.
        let ended: u64 = self.ended.iter().map(|n| n.load(Ordering::SeqCst)).sum();
        self.accepted.load(Ordering::SeqCst) - ended
    }

    /// How many were accepted, and how they ended, as of one moment: what is active must not seem to be more
    /// than a limit allows because one has ended and the next has come between two looks.
    fn requests(&self) -> (u64, [u64; Outcome::COUNT]) {
        /// Where so many end that no two looks agree, there may be one too many.
        const LOOKS: usize = 1000;

        let ended = || self.ended.each_ref().map(|n| n.load(Ordering::SeqCst));
        let mut before = ended();
        for _ in 0..LOOKS {
            // After what has ended, so that it cannot be less.
            let accepted = self.accepted.load(Ordering::SeqCst);
            let after = ended();
            if before == after {
                return (accepted, before);
            }
            before = after;
        }
        (self.accepted.load(Ordering::SeqCst), before)
    }

    /// All but the bytes of connections that have not ended.
    pub(crate) fn stats(&self) -> Stats {
        let (accepted, ended) = self.requests();
        let ended = |outcome: Outcome| ended[outcome.index()];
        let turned_away = self.turned_away.each_ref();
        let turned_away = turned_away.map(|n| n.load(Ordering::SeqCst));
        let refused = |reason| ended(Outcome::Refused(reason)) + turned_away[reason as usize];
        let refused_by = Refusals {
            verify_request: refused(Refusal::VerifyRequest),
            strategy: refused(Refusal::Strategy),
            max_connections: refused(Refusal::MaxConnections),
            max_per_client: refused(Refusal::MaxPerClient),
            accept_rate: refused(Refusal::AcceptRate),
            descriptors: refused(Refusal::Descriptors),
            closing: refused(Refusal::Closing),
        };
        let mut stats = Stats {
            completed: ended(Outcome::Completed),
            failed: ended(Outcome::Failed),
            interrupted: ended(Outcome::Interrupted),
            refused: refused_by.total(),
            dropped: ended(Outcome::Dropped),
            refused_by,
            ..Stats::default()
        };
        stats.accepted = accepted + turned_away.iter().sum::<u64>();
        stats.active = stats.accepted - stats.ended();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let timeouts = |kind: TimeoutKind| count(&self.timeouts[kind as usize]);
        let errors = |kind: AcceptErrorKind| count(&self.accept_errors[kind as usize]);
        stats.timeouts = Timeouts {
            read: timeouts(TimeoutKind::Read),
            write: timeouts(TimeoutKind::Write),
            first_byte: timeouts(TimeoutKind::FirstByte),
            idle: timeouts(TimeoutKind::Idle),
            request: timeouts(TimeoutKind::Request),
        };
        stats.accept_errors = AcceptErrors {
            retried: errors(AcceptErrorKind::Retry),
            backed_off: errors(AcceptErrorKind::BackOff),
            fatal: errors(AcceptErrorKind::Fatal),
        };
        stats.bytes_received = count(&self.bytes_received);
        stats.bytes_sent = count(&self.bytes_sent);
        stats.held_workers = count(&self.held_workers);
        stats
    }
}

impl Stats {
    /// How many requests have ended, in whatever way.
    pub(crate) fn ended(&self) -> u64 {
        self.completed + self.failed + self.interrupted + self.refused + self.dropped
    }
}

impl Refusals {
    fn total(&self) -> u64 {
        let limits = self.max_connections + self.max_per_client + self.accept_rate;
        self.verify_request + self.strategy + limits + self.descriptors + self.closing
    }
}
