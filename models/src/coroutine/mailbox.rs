//! Stand-in for the access to a coroutine from other threads.

use std::thread::Thread;

/// A wake-up stays pending until the next wait, as in the mailbox of a worker.
#[derive(Clone)]
pub(super) struct Unpark(pub(super) Thread);

impl Unpark {
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }

    pub(super) fn unpark(&self) {
        self.0.unpark();
    }
}
