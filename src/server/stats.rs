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
    /// Requests whose handler returned an error or panicked.
    pub failed: u64,
    /// Requests turned away without a handler: by `verify_request`, or by the strategy.
    pub refused: u64,
    /// Requests that are running or waiting for a thread right now.
    pub active: u64,
    /// Errors of the listening socket.
    pub get_request_errors: u64,
}

/// The counters themselves. Each is only ever added to, so no order between them is needed.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) accepted: Counter,
    pub(crate) completed: Counter,
    pub(crate) failed: Counter,
    pub(crate) refused: Counter,
    pub(crate) get_request_errors: Counter,
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
