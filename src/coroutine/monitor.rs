//! Waiting for another thread, as a thread or as a coroutine.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::coroutine::{Waiter, is_coroutine};
use crate::sys::fork_gate::parked;

/// A value behind a lock, and a way to wait for it to change.
///
/// Of `std` and not of `parking_lot`, because threads that wait here are parked while others fork: a
/// waiting thread of `parking_lot` is in a table of the whole process, which in the child would lead
/// to a thread that does not exist. Here the kernel knows, and nobody else.
#[derive(Default)]
pub(crate) struct Monitor<T> {
    value: Mutex<T>,
    changed: Condvar,
    /// Coroutines that wait, and whether there are any: they are called for every change.
    callers: Mutex<Vec<Waiter>>,
    has_callers: AtomicBool,
}

impl<T> Monitor<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
            callers: Mutex::default(),
            has_callers: AtomicBool::new(false),
        }
    }

    /// Nothing that is done under such a lock leaves the value unfit if it panics.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify_one(&self) {
        self.changed.notify_one();
        self.call_all();
    }

    pub(crate) fn notify_all(&self) {
        self.changed.notify_all();
        self.call_all();
    }

    fn call_all(&self) {
        if self.has_callers.load(Ordering::SeqCst) {
            let callers = {
                let mut callers = self.callers();
                self.has_callers.store(false, Ordering::SeqCst);
                std::mem::take(&mut *callers)
            };
            callers.iter().for_each(Waiter::call);
        }
    }

    fn callers(&self) -> MutexGuard<'_, Vec<Waiter>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `condition` no longer holds (`true`), or until `deadline` is over (`false`). `None`
    /// waits without limit.
    pub(crate) fn wait_while<'a>(
        &'a self,
        mut value: MutexGuard<'a, T>,
        deadline: Option<Instant>,
        condition: impl Fn(&T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        if !condition(&value) {
            return (value, true);
        }
        value = match is_coroutine().then(Waiter::here).flatten() {
            Some(here) => self.wait_as_coroutine(value, deadline, &condition, here),
            None => parked(|| self.wait(value, deadline, &condition)),
        };
        let holds = condition(&value);
        (value, !holds)
    }

    /// A lock that is held while others go on would keep them from it on this very thread: it is given
    /// back before.
    fn wait_as_coroutine<'a>(
        &'a self,
        mut value: MutexGuard<'a, T>,
        deadline: Option<Instant>,
        condition: impl Fn(&T) -> bool,
        here: Waiter,
    ) -> MutexGuard<'a, T> {
        let over = || deadline.is_some_and(|deadline| deadline <= Instant::now());
        while condition(&value) && !over() {
            // Entered under the lock: whoever changes the value after that sees it.
            self.callers().push(here.clone());
            self.has_callers.store(true, Ordering::SeqCst);
            drop(value);
            Waiter::wait(deadline);
            value = self.lock();
        }
        // Whoever gives up, again and again, must not make the list longer each time.
        if over() && self.has_callers.load(Ordering::SeqCst) {
            self.callers().retain(|caller| !caller.is(&here));
        }
        value
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;
    use crate::coroutine::{BlockingPool, Worker};

    /// Runs `work` as a coroutine, on this thread.
    fn as_coroutine(work: impl FnOnce() + 'static) {
        let worker = Worker::new(64 * 1024, BlockingPool::default(), |_| {}).unwrap();
        let done = Rc::new(std::cell::Cell::new(false));
        let stack = worker.take_stack().unwrap();
        let seen = Rc::clone(&done);
        worker.start(stack, None, move || {
            work();
            seen.set(true);
        });
        worker.mailbox().close();
        worker.run();
        assert!(done.get(), "it has panicked");
    }

    #[test]
    fn those_who_have_given_up_are_forgotten() {
        let monitor = Arc::new(Monitor::new(false));
        let waited = Arc::clone(&monitor);
        as_coroutine(move || {
            for _ in 0..10 {
                let deadline = Instant::now() + Duration::from_millis(2);
                let value = waited.lock();
                let (value, came) = waited.wait_while(value, Some(deadline), |value| !value);
                assert!(!came && !*value);
            }
        });
        assert_eq!(monitor.callers().len(), 0);
    }

    #[test]
    fn a_coroutine_hears_of_a_change_by_a_thread() {
        let monitor = Arc::new(Monitor::new(0));
        let waited = Arc::clone(&monitor);
        let changer = std::thread::spawn(move || {
            for _ in 0..1000 {
                *monitor.lock() += 1;
                monitor.notify_all();
            }
        });
        as_coroutine(move || {
            for least in [1, 10, 500, 1000] {
                let value = waited.lock();
                let (value, came) = waited.wait_while(value, None, |value| *value < least);
                assert!(came && *value >= least);
            }
        });
        changer.join().unwrap();
    }
}
