//! Locks and condition variables.
//!
//! Those of the model checker know no timeouts: its waits last until they are ended. Here a wait with a
//! timeout may be over at any moment, so that every order of "time is over" and "it has come" is tried.

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
    /// Always there, but for the length of a wait.
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
    /// Those who wait without a limit.
    inner: shuttle::sync::Condvar,
    /// The others. A lock of the real library: it is never held while others go on.
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
        // Nobody else has run since the lock was given back: that is done, by the model checker, after
        // others had their turn and not before.
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
        // Others may go on before it, as before everything that they can see.
        shuttle::thread::sleep(Duration::ZERO);
        // Those with a timeout first: no source under test has both kinds at a condition where one is
        // notified.
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
        // The model checker lets others go on before it notifies, and not after that.
        self.inner.notify_all();
        for called in self.timed().drain(..) {
            called.store(true, Relaxed);
        }
    }

    fn timed(&self) -> ::std::sync::MutexGuard<'_, Vec<Arc<Flag>>> {
        self.timed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
