//! Locks and condition variables. Those of loom have no timeouts: here a wait with a timeout ends when
//! the scheduler returns to it, which may be before or after any step of another thread.

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
            of: self,
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
    of: &'a Mutex<T>,
    /// `None` only during a wait.
    inner: Option<loom::sync::MutexGuard<'a, T>>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("it is locked")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("it is locked")
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[derive(Debug, Default)]
pub struct Condvar {
    /// Waiters without a timeout.
    inner: loom::sync::Condvar,
    /// Waiters with a timeout, by number. Loom's own lock, so that it explores which is first.
    timed: loom::sync::Mutex<Timed>,
}

#[derive(Debug, Default)]
struct Timed {
    waiting: Vec<usize>,
    /// Number of waiters so far.
    count: usize,
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
        let inner = guard.inner.take().expect("it is locked");
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
            timed.count += 1;
            let number = timed.count;
            timed.waiting.push(number);
            number
        };
        let of = guard.of;
        drop(guard);
        let timed_out = {
            let mut timed = self.timed();
            let place = timed.waiting.iter().position(|other| *other == number);
            place.map(|place| timed.waiting.remove(place)).is_some()
        };
        if timed_out {
            pass(start, timeout);
        }
        let guard = of.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((guard, WaitTimeoutResult(timed_out)))
    }

    pub fn notify_one(&self) {
        // Waiters with a timeout are first: no source under test has both kinds where only one is woken.
        let found = {
            let mut timed = self.timed();
            (!timed.waiting.is_empty()).then(|| timed.waiting.remove(0))
        };
        if found.is_none() {
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
