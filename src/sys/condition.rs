//! Waiting for another thread.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::parked::parked;

/// A value behind a lock, and a way to wait for it to change.
///
/// Of `std` and not of `parking_lot`, because threads that wait here are parked while others fork: a
/// waiting thread of `parking_lot` is in a table of the whole process, which in the child would lead
/// to a thread that does not exist. Here the kernel knows, and nobody else.
#[derive(Default)]
pub(crate) struct Monitor<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Monitor<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    /// Nothing that is done under such a lock leaves the value unfit if it panics.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify_one(&self) {
        self.changed.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.changed.notify_all();
    }

    /// Waits until `condition` no longer holds (`true`), or until `deadline` is over (`false`). `None`
    /// waits without limit.
    pub(crate) fn wait_while<'a>(
        &self,
        mut value: MutexGuard<'a, T>,
        deadline: Option<Instant>,
        condition: impl Fn(&T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        if !condition(&value) {
            return (value, true);
        }
        value = parked(|| self.wait(value, deadline, &condition));
        let holds = condition(&value);
        (value, !holds)
    }

    fn wait<'a>(
        &self,
        mut value: MutexGuard<'a, T>,
        deadline: Option<Instant>,
        condition: impl Fn(&T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&value) {
            let Some(deadline) = deadline else {
                let waited = self.changed.wait(value);
                value = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            let waited = self.changed.wait_timeout(value, left);
            value = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        value
    }
}

impl<T: fmt::Debug> fmt::Debug for Monitor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
