//! The state of a connection: whether it was force-closed, and whether its handler has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

#[derive(Default)]
pub(crate) struct ConnectionState {
    has_ended: AtomicBool,
    pub(crate) force_closed: Mutex<bool>,
    pub(crate) changed: Condvar,
}

impl ConnectionState {
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    pub(crate) fn bytes(&self) -> (u64, u64) {
        (0, 0)
    }

    /// Records the end of the handler. Returns whether the connection was force-closed before.
    pub(crate) fn end(&self) -> bool {
        let force_closed = self.force_closed.lock();
        let force_closed = *force_closed.unwrap_or_else(PoisonError::into_inner);
        self.has_ended.store(true, Ordering::SeqCst);
        force_closed
    }
}
