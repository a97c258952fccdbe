//! Locks and condition variables.
//!
//! Shuttle has no waits with timeouts. Here, such a wait may expire at any moment, so that it expires before
//! and after each notification in some schedule.

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
    inner: Option<shuttle::sync::MutexGuard<'a, T>>,
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
    inner: shuttle::sync::Condvar,
    /// Waits with a timeout, each with a flag that a notification sets. A lock of the real `std`, because no
    /// other thread runs while it is held.
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
            let mutex = guard.mutex;
            drop(guard);
            return mutex.lock();
        }
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
        let mutex = guard.mutex;
        let notified = Arc::new(Flag::new(false));
        drop(guard);
        // No other thread has run since the unlock, because shuttle switches threads before an unlock and not
        // after it.
        self.timed().push(Arc::clone(&notified));
        let mut patience = chance::patience();
        let timed_out = loop {
            crate::thread::yield_now();
            if notified.load(Relaxed) {
                break false;
            }
            if patience == 0 {
                self.timed().retain(|other| !Arc::ptr_eq(other, &notified));
                pass(start, timeout);
                break true;
            }
            patience -= 1;
        };
        let guard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((guard, WaitTimeoutResult(timed_out)))
    }

    pub fn notify_one(&self) {
        // Lets other threads run first, as before every visible step.
        shuttle::thread::sleep(Duration::ZERO);
        // Waits with a timeout are first. No source under test calls this for a condition that has waits of
        // both kinds.
        let first = {
            let mut timed = self.timed();
            (!timed.is_empty()).then(|| timed.remove(0))
        };
        match first {
            Some(notified) => notified.store(true, Relaxed),
            None => self.inner.notify_one(),
        }
    }

    pub fn notify_all(&self) {
        // Shuttle lets other threads run before it notifies, and not after that.
        self.inner.notify_all();
        for notified in self.timed().drain(..) {
            notified.store(true, Relaxed);
        }
    }

    fn timed(&self) -> ::std::sync::MutexGuard<'_, Vec<Arc<Flag>>> {
        self.timed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
