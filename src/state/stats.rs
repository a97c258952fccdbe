//! What a server has counted.

/// A snapshot of a server's counters, from [`ServerHandle::stats`](crate::ServerHandle::stats).
///
/// Every request that was taken in is counted in `accepted`, and, once it has ended, in exactly one of
/// `completed`, `failed`, `force_closed`, `rejected` and `dropped`; until then it is `active`.
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
    pub force_closed: u64,
    /// Requests turned away without a handler; [`rejected_by`](Self::rejected_by) says why.
    pub rejected: u64,
    /// Requests that a strategy dropped, so that they were closed without a word; and those served by
    /// a child process of which somebody else reaped the exit status.
    pub dropped: u64,
    /// Requests that are running or waiting for a thread right now: `accepted` less the five above.
    pub active: u64,
    /// Why requests were turned away: adds up to `rejected`.
    pub rejected_by: RejectionCounts,
    /// How often a read or write of a request ran out of time.
    pub timeouts: TimeoutCounts,
    /// Errors of the listening socket.
    pub accept_errors: AcceptErrorCounts,
    /// Bytes received from clients; without those of child processes.
    pub bytes_received: u64,
    /// Bytes sent to clients; without those of child processes.
    pub bytes_sent: u64,
    /// How often a handler has held up a worker of [`Coroutines`](crate::Coroutines), and with it the
    /// other clients of that worker, for more than 10 ms without reading or writing.
    pub worker_stalls: u64,
}

/// How many requests were turned away for which reason: a part of [`Stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectionCounts {
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
pub struct TimeoutCounts {
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
pub struct AcceptErrorCounts {
    /// [`AcceptErrorKind::Retry`].
    pub retried: u64,
    /// [`AcceptErrorKind::BackOff`].
    pub backed_off: u64,
    /// [`AcceptErrorKind::Fatal`].
    pub fatal: u64,
}

impl AcceptErrorCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.retried + self.backed_off + self.fatal
    }
}

impl Stats {
    /// How many requests have ended, in whatever way.
    pub(crate) fn ended(&self) -> u64 {
        self.completed + self.failed + self.force_closed + self.rejected + self.dropped
    }
}

impl RejectionCounts {
    pub(super) fn total(&self) -> u64 {
        let limits = self.max_connections + self.max_per_client + self.accept_rate;
        self.verify_request + self.strategy + limits + self.descriptors + self.closing
    }
}
