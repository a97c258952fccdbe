//! Waiting for somebody else, be it as a coroutine or as a thread.

use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::coroutine::mailbox::Unpark;
use crate::coroutine::switch::with_current;
use crate::coroutine::task::Task;
use crate::sys::fork_gate::parked;

/// Whoever waits, seen from those who can end that.
#[derive(Clone)]
pub(crate) struct Waiter(Who);

#[derive(Clone)]
enum Who {
    Coroutine(Unpark),
    Thread(Thread),
}

impl Waiter {
    /// Whoever calls this. `None` for a coroutine that is not allowed to wait.
    pub(crate) fn here() -> Option<Self> {
        match with_current(|task| Task::can_wait().then(|| task.unpark())) {
            Some(unpark) => unpark.map(|unpark| Self(Who::Coroutine(unpark))),
            None => Some(Self(Who::Thread(thread::current()))),
        }
    }

    /// Waits until [`call`](Self::call) is called, or until `deadline`; may come back for nothing. Only
    /// for the one that this is.
    pub(crate) fn wait(deadline: Option<Instant>) {
        if with_current(|task| task.wait_for_call(deadline)).is_some() {
            return;
        }
        parked(|| match deadline {
            Some(deadline) => {
                thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
            }
            None => thread::park(),
        });
    }

    /// Whether both are the same one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Who::Coroutine(this), Who::Coroutine(other)) => this.is(other),
            (Who::Thread(this), Who::Thread(other)) => this.id() == other.id(),
            _ => false,
        }
    }

    /// Ends the wait, or the next one.
    pub(crate) fn call(&self) {
        match &self.0 {
            Who::Coroutine(unpark) => unpark.unpark(),
            Who::Thread(thread) => thread.unpark(),
        }
    }
}

/// Waits for at least `duration`, without holding up others: what [`std::thread::sleep`] is, for handlers
/// that run as [`Coroutines`](crate::Coroutines) too. Under every other strategy, and outside handlers,
/// the two are the same. A stop of the server does not end it. One of zero lets the others have their turn.
///
/// Python: `time.sleep`, `gevent.sleep`.
#[doc(alias = "gevent.sleep")]
pub fn sleep(duration: Duration) {
    let deadline = Instant::now().checked_add(duration);
    let slept = with_current(|task| {
        if !Task::can_wait() {
            return false;
        }
        if duration.is_zero() {
            task.yield_now();
        }
        while deadline.is_none_or(|deadline| Instant::now() < deadline) {
            task.wait_for_call(deadline);
        }
        true
    });
    if slept != Some(true) {
        parked(|| thread::sleep(duration));
    }
}
