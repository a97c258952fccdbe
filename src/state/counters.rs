//! The counters of a server.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::accept_error::AcceptErrorKind;
use crate::handshake_error::HandshakeErrorKind;
use crate::state::{
    AcceptErrorCounts, HandshakeErrorCounts, RejectionCounts, Stats, TimeoutCounts,
};
use crate::timeout::TimeoutKind;

/// The live counters behind [`Stats`].
///
/// A request is counted twice: once when it is accepted, and once, by its outcome, when it ends. The number
/// of active requests is the difference, so that no third counter can disagree.
#[derive(Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    ended: [AtomicU64; Outcome::COUNT],
    /// Requests that were accepted only to be rejected.
    rejected_on_accept: [AtomicU64; RejectionReason::COUNT],
    timeouts: [AtomicU64; TimeoutKind::COUNT],
    accept_errors: [AtomicU64; AcceptErrorKind::COUNT],
    handshake_errors: [AtomicU64; HandshakeErrorKind::COUNT],
    /// Bytes of datagrams. The registry counts the bytes of connections.
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
    worker_stalls: AtomicU64,
}

/// The way in which a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed,
    /// The handler returned the error of a client that is gone.
    Disconnected,
    ForceClosed,
    Rejected(RejectionReason),
    /// A strategy dropped the job, which closed the connection without a message.
    Dropped,
}

/// The reason why a request was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RejectionReason {
    VerifyRequest,
    Strategy,
    MaxConnections,
    MaxPerClient,
    AcceptRate,
    AccessList,
    Descriptors,
    Handshake,
    Closing,
}

impl fmt::Display for RejectionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VerifyRequest => "`verify_request` returned false",
            Self::Strategy => "the strategy rejected it",
            Self::MaxConnections => "`max_connections` is reached",
            Self::MaxPerClient => "`max_per_client` is reached",
            Self::AcceptRate => "`accept_rate` is exceeded",
            Self::AccessList => "the access list denies its address",
            Self::Descriptors => "no descriptor is available",
            Self::Handshake => "the handshake failed",
            Self::Closing => "the server is being closed",
        })
    }
}

impl Outcome {
    const COUNT: usize = 5 + RejectionReason::COUNT;

    fn index(self) -> usize {
        match self {
            Self::Completed => 0,
            Self::Failed => 1,
            Self::ForceClosed => 2,
            Self::Dropped => 3,
            Self::Disconnected => 4,
            Self::Rejected(reason) => 5 + reason as usize,
        }
    }
}

impl RejectionReason {
    const COUNT: usize = 9;
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

    /// Counts a request that is accepted only to be rejected. It is never active, because then the number
    /// of active requests could exceed a limit.
    pub(crate) fn count_rejected_on_accept(&self, reason: RejectionReason) {
        self.rejected_on_accept[reason as usize].fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count_timeout(&self, kind: TimeoutKind) {
        self.timeouts[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_accept_error(&self, kind: AcceptErrorKind) {
        self.accept_errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_handshake_error(&self, kind: HandshakeErrorKind) {
        self.handshake_errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_bytes(&self, received: u64, sent: u64) {
        if received > 0 {
            self.bytes_received.fetch_add(received, Ordering::Relaxed);
        }
        if sent > 0 {
            self.bytes_sent.fetch_add(sent, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_worker_stall(&self) {
        self.worker_stalls.fetch_add(1, Ordering::Relaxed);
    }

    /// Number of requests that are running or queued.
    pub(crate) fn active(&self) -> usize {
        // Ended requests are read first, so that they cannot be more than the accepted ones.
        let ended: u64 = self.ended.iter().map(|n| n.load(Ordering::SeqCst)).sum();
        let active = self.accepted.load(Ordering::SeqCst) - ended;
        usize::try_from(active).unwrap_or(usize::MAX)
    }

    /// Returns the number of accepted requests and the numbers of ended ones at one point in time. Otherwise
    /// the number of active requests could seem to exceed a limit, because one request ends and the next is
    /// accepted between two loads.
    fn request_counts(&self) -> (u64, [u64; Outcome::COUNT]) {
        /// After so many attempts, the result may be inconsistent.
        const MAX_ATTEMPTS: usize = 1000;

        let ended = || self.ended.each_ref().map(|n| n.load(Ordering::SeqCst));
        let mut before = ended();
        for _ in 0..MAX_ATTEMPTS {
            // Read after the ended requests, so that it cannot be less.
            let accepted = self.accepted.load(Ordering::SeqCst);
            let after = ended();
            if before == after {
                return (accepted, before);
            }
            before = after;
        }
        (self.accepted.load(Ordering::SeqCst), before)
    }

    /// Returns all counters, without the bytes of connections.
    pub(crate) fn stats(&self) -> Stats {
        let (accepted, ended) = self.request_counts();
        let ended = |outcome: Outcome| ended[outcome.index()];
        let rejected_on_accept = self.rejected_on_accept.each_ref();
        let rejected_on_accept = rejected_on_accept.map(|n| n.load(Ordering::SeqCst));
        let rejected =
            |reason| ended(Outcome::Rejected(reason)) + rejected_on_accept[reason as usize];
        let rejected_by = RejectionCounts {
            verify_request: rejected(RejectionReason::VerifyRequest),
            strategy: rejected(RejectionReason::Strategy),
            max_connections: rejected(RejectionReason::MaxConnections),
            max_per_client: rejected(RejectionReason::MaxPerClient),
            accept_rate: rejected(RejectionReason::AcceptRate),
            access_list: rejected(RejectionReason::AccessList),
            descriptors: rejected(RejectionReason::Descriptors),
            handshake: rejected(RejectionReason::Handshake),
            closing: rejected(RejectionReason::Closing),
        };
        let mut stats = Stats {
            completed: ended(Outcome::Completed),
            failed: ended(Outcome::Failed),
            disconnected: ended(Outcome::Disconnected),
            force_closed: ended(Outcome::ForceClosed),
            rejected: rejected_by.total(),
            dropped: ended(Outcome::Dropped),
            rejected_by,
            ..Stats::default()
        };
        stats.accepted = accepted + rejected_on_accept.iter().sum::<u64>();
        stats.active = stats.accepted - stats.ended();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let timeouts = |kind: TimeoutKind| count(&self.timeouts[kind as usize]);
        let errors = |kind: AcceptErrorKind| count(&self.accept_errors[kind as usize]);
        stats.timeouts = TimeoutCounts {
            read: timeouts(TimeoutKind::Read),
            write: timeouts(TimeoutKind::Write),
            first_byte: timeouts(TimeoutKind::FirstByte),
            idle: timeouts(TimeoutKind::Idle),
            request: timeouts(TimeoutKind::Request),
        };
        stats.accept_errors = AcceptErrorCounts {
            retried: errors(AcceptErrorKind::Retry),
            backed_off: errors(AcceptErrorKind::BackOff),
            fatal: errors(AcceptErrorKind::Fatal),
        };
        let handshakes = |kind: HandshakeErrorKind| count(&self.handshake_errors[kind as usize]);
        stats.handshake_errors = HandshakeErrorCounts {
            timed_out: handshakes(HandshakeErrorKind::TimedOut),
            disconnected: handshakes(HandshakeErrorKind::Disconnected),
            proxy_header: handshakes(HandshakeErrorKind::ProxyHeader),
            not_tls: handshakes(HandshakeErrorKind::NotTls),
            incompatible: handshakes(HandshakeErrorKind::Incompatible),
            client_certificate: handshakes(HandshakeErrorKind::ClientCertificate),
            alert: handshakes(HandshakeErrorKind::Alert),
            other: handshakes(HandshakeErrorKind::Other),
        };
        stats.bytes_received = count(&self.bytes_received);
        stats.bytes_sent = count(&self.bytes_sent);
        stats.worker_stalls = count(&self.worker_stalls);
        stats
    }
}
