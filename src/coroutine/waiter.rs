//! Waits for other threads and coroutines.

use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::coroutine::mailbox::Unpark;
use crate::coroutine::switch::with_current;
use crate::coroutine::task::Task;
use crate::sys::fork_gate::parked;

/// A thread or coroutine that can wait until another one wakes it.
#[derive(Clone)]
pub(crate) struct Waiter(Kind);

#[derive(Clone)]
enum Kind {
    Coroutine(Unpark),
    Thread(Thread),
}

impl Waiter {
    /// The coroutine that runs or, outside of coroutines, the current thread. `None` for a coroutine
    /// that may not wait, because it panics.
    pub(crate) fn current() -> Option<Self> {
        match with_current(|task| Task::can_wait().then(|| task.unpark())) {
            Some(unpark) => unpark.map(|unpark| Self(Kind::Coroutine(unpark))),
            None => Some(Self(Kind::Thread(thread::current()))),
        }
    }

    /// Waits until [`wake`](Self::wake) is called for the [current](Self::current) waiter, or until
    /// `deadline`. May return without either.
    pub(crate) fn wait(deadline: Option<Instant>) {
        if with_current(|task| task.wait_for_wake(deadline)).is_some() {
            return;
        }
        parked(|| match deadline {
            Some(deadline) => {
                thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
            }
            None => thread::park(),
        });
    }

    /// Returns whether both are the same coroutine or thread.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Coroutine(this), Kind::Coroutine(other)) => this.is_same_as(other),
            (Kind::Thread(this), Kind::Thread(other)) => this.id() == other.id(),
            _ => false,
        }
    }

    /// Ends the current wait or, if there is none, the next.
    pub(crate) fn wake(&self) {
        match &self.0 {
            Kind::Coroutine(unpark) => unpark.unpark(),
            Kind::Thread(thread) => thread.unpark(),
        }
    }
}

/// Waits for at least `duration` without blocking other requests.
///
/// In a handler that runs under [`Coroutines`](crate::Coroutines), the worker serves other requests
/// during the wait. Under every other strategy, and outside of handlers, this is
/// [`std::thread::sleep`]. A stop of the server does not end the wait. A duration of zero lets other
/// coroutines run that are ready.
///
/// A coroutine that panics cannot wait in this way. There, the call blocks the worker.
///
/// Python: `time.sleep`, `gevent.sleep`.
#[doc(alias = "gevent.sleep")]
pub fn sleep(duration: Duration) {
    let deadline = Instant::now().checked_add(duration);
    let has_slept = with_current(|task| {
        if !Task::can_wait() {
            return false;
        }
        if duration.is_zero() {
            task.yield_now();
        }
        while deadline.is_none_or(|deadline| Instant::now() < deadline) {
            task.wait_for_wake(deadline);
        }
        true
    });
    if has_slept != Some(true) {
        parked(|| thread::sleep(duration));
    }
}
