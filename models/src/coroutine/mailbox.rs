//! How others reach a coroutine.

use std::thread::Thread;

/// What has been called stays called until the next wait, as a letter stays in the mailbox of a worker
/// until the coroutine that runs there waits.
#[derive(Clone)]
pub(super) struct Unpark(pub(super) Thread);

impl Unpark {
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }

    pub(super) fn unpark(&self) {
        self.0.unpark();
    }
}
