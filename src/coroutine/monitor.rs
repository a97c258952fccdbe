//! A value that threads and coroutines can wait for.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::coroutine::{Waiter, is_coroutine};
use crate::sys::fork_gate::parked;

/// A value behind a lock, and a wait for it to change.
///
/// The lock is one of `std`, not of `parking_lot`, because threads that wait here are parked while
/// other threads fork. `parking_lot` lists waiting threads in a table of the process. A forked child
/// would inherit entries of threads that do not exist there. The waits of `std` are known to the
/// kernel alone.
#[derive(Default)]
pub(crate) struct Monitor<T> {
    value: Mutex<T>,
    changed: Condvar,
    /// Coroutines that wait. Each change wakes all of them.
    coroutines: Mutex<Vec<Waiter>>,
    has_coroutines: AtomicBool,
}

impl<T> Monitor<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
            coroutines: Mutex::default(),
            has_coroutines: AtomicBool::new(false),
        }
    }

    /// Locks the value. Ignores poisoning, because no user of a monitor leaves the value inconsistent
    /// if it panics.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes one thread and all coroutines.
    pub(crate) fn notify_one(&self) {
        self.changed.notify_one();
        self.wake_coroutines();
    }

    /// Wakes all threads and all coroutines.
    pub(crate) fn notify_all(&self) {
        self.changed.notify_all();
        self.wake_coroutines();
    }

    fn wake_coroutines(&self) {
        if self.has_coroutines.load(Ordering::SeqCst) {
            let coroutines = {
                let mut coroutines = self.coroutines();
                self.has_coroutines.store(false, Ordering::SeqCst);
                std::mem::take(&mut *coroutines)
            };
            coroutines.iter().for_each(Waiter::wake);
        }
    }

    fn coroutines(&self) -> MutexGuard<'_, Vec<Waiter>> {
        self.coroutines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while `condition` holds, at most until `deadline`. `None` waits without limit. Returns
    /// `true` if the condition no longer holds, and `false` if the time has passed.
    ///
    /// Coroutines release the lock during the wait, as threads do. A coroutine that may not wait,
    /// because it panics, blocks its thread.
    pub(crate) fn wait_while<'a>(
        &'a self,
        mut value: MutexGuard<'a, T>,
        deadline: Option<Instant>,
        condition: impl Fn(&T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        if !condition(&value) {
            return (value, true);
        }
        value = match is_coroutine().then(Waiter::current).flatten() {
            Some(current) => self.wait_as_coroutine(value, deadline, &condition, current),
            None => parked(|| self.wait_as_thread(value, deadline, &condition)),
        };
        let still_holds = condition(&value);
        (value, !still_holds)
    }

    fn wait_as_coroutine<'a>(
        &'a self,
        mut value: MutexGuard<'a, T>,
        deadline: Option<Instant>,
        condition: impl Fn(&T) -> bool,
        current: Waiter,
    ) -> MutexGuard<'a, T> {
        let is_expired = || deadline.is_some_and(|deadline| deadline <= Instant::now());
        while condition(&value) && !is_expired() {
            // Listed under the lock, so that the next change wakes it. Then the lock is released,
            // because another coroutine on this thread may need it.
            self.coroutines().push(current.clone());
            self.has_coroutines.store(true, Ordering::SeqCst);
            drop(value);
            Waiter::wait(deadline);
            value = self.lock();
        }
        // Otherwise waits that expire would make the list longer each time.
        if is_expired() && self.has_coroutines.load(Ordering::SeqCst) {
            self.coroutines()
                .retain(|other| !other.is_same_as(&current));
        }
        value
    }

    fn wait_as_thread<'a>(
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;
    use crate::coroutine::{BlockingPool, Worker};

    /// Runs `work` as a coroutine on this thread.
    fn as_coroutine(work: impl FnOnce() + 'static) {
        let worker = Worker::new(64 * 1024, BlockingPool::default(), |_| {}).unwrap();
        let done = Rc::new(std::cell::Cell::new(false));
        let stack = worker.take_stack().unwrap();
        let done_inside = Rc::clone(&done);
        worker.start(stack, None, move || {
            work();
            done_inside.set(true);
        });
        worker.mailbox().close();
        worker.run();
        assert!(done.get(), "the coroutine panicked");
    }

    #[test]
    fn coroutines_whose_waits_expire_are_removed() {
        let monitor = Arc::new(Monitor::new(false));
        let awaited = Arc::clone(&monitor);
        as_coroutine(move || {
            for _ in 0..10 {
                let deadline = Instant::now() + Duration::from_millis(2);
                let value = awaited.lock();
                let (value, changed) = awaited.wait_while(value, Some(deadline), |value| !value);
                assert!(!changed && !*value);
            }
        });
        assert_eq!(monitor.coroutines().len(), 0);
    }

    #[test]
    fn a_coroutine_sees_a_change_by_a_thread() {
        let monitor = Arc::new(Monitor::new(0));
        let awaited = Arc::clone(&monitor);
        let changer = std::thread::spawn(move || {
            for _ in 0..1000 {
                *monitor.lock() += 1;
                monitor.notify_all();
            }
        });
        as_coroutine(move || {
            for least in [1, 10, 500, 1000] {
                let value = awaited.lock();
                let (value, changed) = awaited.wait_while(value, None, |value| *value < least);
                assert!(changed && *value >= least);
            }
        });
        changer.join().unwrap();
    }
}
