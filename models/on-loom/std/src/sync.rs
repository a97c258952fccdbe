//! Locks and condition variables.
//!
//! Loom has no waits with timeouts. Here, such a wait expires when its thread runs next, which may be before
//! or after all steps of other threads.

use ::std::fmt;
use ::std::ops::{Deref, DerefMut};

use crate::time::{Duration, Instant, pass};

pub use ::std::sync::*;

pub mod atomic {
    pub use loom::sync::atomic::*;
}

#[derive(Default)]
pub struct Mutex<T> {
    inner: loom::sync::Mutex<T>,
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self {
            inner: loom::sync::Mutex::new(value),
        }
    }

    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard {
            mutex: self,
            inner: Some(inner),
        })
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` only during a wait.
    inner: Option<loom::sync::MutexGuard<'a, T>>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("the guard is not in a wait")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("the guard is not in a wait")
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[derive(Debug, Default)]
pub struct Condvar {
    /// Waits without a timeout.
    inner: loom::sync::Condvar,
    /// Waits with a timeout. A lock of loom, so that loom varies the order in which threads take it.
    timed: loom::sync::Mutex<Timed>,
}

#[derive(Debug, Default)]
struct Timed {
    /// Numbers of the waits that no notification has ended.
    waiting: Vec<usize>,
    /// Number of waits so far.
    total: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let inner = guard.inner.take().expect("the guard is not in a wait");
        let inner = self.inner.wait(inner);
        guard.inner = Some(inner.unwrap_or_else(PoisonError::into_inner));
        Ok(guard)
    }

    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let start = Instant::now();
        let number = {
            let mut timed = self.timed();
            timed.total += 1;
            let number = timed.total;
            timed.waiting.push(number);
            number
        };
        let mutex = guard.mutex;
        drop(guard);
        let timed_out = {
            let mut timed = self.timed();
            let index = timed.waiting.iter().position(|other| *other == number);
            index.map(|index| timed.waiting.remove(index)).is_some()
        };
        if timed_out {
            pass(start, timeout);
        }
        let guard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((guard, WaitTimeoutResult(timed_out)))
    }

    pub fn notify_one(&self) {
        // Waits with a timeout are first. No source under test calls this for a condition that has waits of
        // both kinds.
        let notified = {
            let mut timed = self.timed();
            (!timed.waiting.is_empty()).then(|| timed.waiting.remove(0))
        };
        if notified.is_none() {
            self.inner.notify_one();
        }
    }

    pub fn notify_all(&self) {
        self.timed().waiting.clear();
        self.inner.notify_all();
    }

    fn timed(&self) -> loom::sync::MutexGuard<'_, Timed> {
        self.timed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
