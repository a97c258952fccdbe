//! Locks and condition variables.
//!
//! The condition variables of the model checker have no timeouts. Here a wait with a timeout may end at any moment, so every
//! order of the timeout and of the awaited event is tried.

use ::std::fmt;
use ::std::ops::{Deref, DerefMut};
use ::std::sync::atomic::{AtomicBool as Flag, Ordering::Relaxed};

use crate::chance;
use crate::time::{Duration, Instant, pass};

pub use ::std::sync::*;

pub mod atomic {
    pub use shuttle::sync::atomic::*;
}

#[derive(Default)]
pub struct Mutex<T> {
    inner: shuttle::sync::Mutex<T>,
}

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Self {
            inner: shuttle::sync::Mutex::new(value),
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
    inner: Option<shuttle::sync::MutexGuard<'a, T>>,
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
    inner: shuttle::sync::Condvar,
    /// Waiters with a timeout. The real lock: no other thread runs while it is held.
    timed: ::std::sync::Mutex<Vec<Arc<Flag>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub const fn new() -> Self {
        Self {
            inner: shuttle::sync::Condvar::new(),
            timed: ::std::sync::Mutex::new(Vec::new()),
        }
    }

    pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        if chance::is_spurious() {
            let of = guard.of;
            drop(guard);
            return of.lock();
        }
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
        let of = guard.of;
        let called = Arc::new(Flag::new(false));
        drop(guard);
        // No other thread has run since the unlock: the model checker switches threads before it unlocks, not
        // after.
        self.timed().push(Arc::clone(&called));
        let mut patience = chance::patience();
        let timed_out = loop {
            crate::thread::yield_now();
            if called.load(Relaxed) {
                break false;
            }
            if patience == 0 {
                self.timed().retain(|other| !Arc::ptr_eq(other, &called));
                pass(start, timeout);
                break true;
            }
            patience -= 1;
        };
        let guard = of.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((guard, WaitTimeoutResult(timed_out)))
    }

    pub fn notify_one(&self) {
        // Other threads may run first, as before each visible step.
        shuttle::thread::sleep(Duration::ZERO);
        // Waiters with a timeout are first: no source under test has both kinds where only one is woken.
        let first = {
            let mut timed = self.timed();
            (!timed.is_empty()).then(|| timed.remove(0))
        };
        match first {
            Some(called) => called.store(true, Relaxed),
            None => self.inner.notify_one(),
        }
    }

    pub fn notify_all(&self) {
        // The model checker switches threads before it notifies, not after.
        self.inner.notify_all();
        for called in self.timed().drain(..) {
            called.store(true, Relaxed);
        }
    }

    fn timed(&self) -> ::std::sync::MutexGuard<'_, Vec<Arc<Flag>>> {
        self.timed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
