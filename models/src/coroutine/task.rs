//! Stand-in for the running coroutine.

use std::thread;
use std::time::Instant;

use super::mailbox::Unpark;

pub(crate) struct Task;

impl Task {
    pub(crate) fn can_wait() -> bool {
        !thread::panicking()
    }

    pub(super) fn unpark(&self) -> Unpark {
        Unpark(thread::current())
    }

    pub(super) fn yield_now(&self) {
        thread::yield_now();
    }

    pub(super) fn wait_for_wake(&self, deadline: Option<Instant>) -> bool {
        match deadline {
            None => thread::park(),
            Some(deadline) => {
                thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
            }
        }
        deadline.is_none_or(|deadline| Instant::now() < deadline)
    }
}
