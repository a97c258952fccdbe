//! A lock that may be held during a wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::coroutine::Waiter;

/// A first-come-first-served lock that is held while a message is sent, which may take as long as the
/// client likes. Threads and coroutines can wait for it: a coroutine lets other coroutines run
/// during the wait.
#[derive(Default)]
pub(crate) struct FairMutex {
    /// `FREE`, `LOCKED` or `CONTENDED`.
    state: AtomicU8,
    queue: Mutex<VecDeque<Arc<QueuedWaiter>>>,
}

const FREE: u8 = 0;
const LOCKED: u8 = 1;
/// Locked. The holder has to look at `queue` when it unlocks.
const CONTENDED: u8 = 2;

struct QueuedWaiter {
    waiter: Waiter,
    has_lock: AtomicBool,
}

impl FairMutex {
    /// Waits for the lock, at most `timeout`. Returns `None` if the time has passed, and for a coroutine
    /// that would have to wait but may not, because it panics.
    #[inline]
    pub(crate) fn lock(
        &self,
        timeout: impl FnOnce() -> Option<Duration>,
    ) -> Option<FairMutexGuard<'_>> {
        let locked =
            self.state
                .compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed);
        match locked {
            Ok(_) => Some(FairMutexGuard(self)),
            Err(_) => self.lock_contended(timeout()),
        }
    }

    #[cold]
    fn lock_contended(&self, timeout: Option<Duration>) -> Option<FairMutexGuard<'_>> {
        let queued = {
            let mut queue = self.queue.lock();
            // From here on, an unlock looks at the queue.
            if self.state.swap(CONTENDED, Ordering::Acquire) == FREE {
                return Some(FairMutexGuard(self));
            }
            let queued = Arc::new(QueuedWaiter {
                waiter: Waiter::current()?,
                has_lock: AtomicBool::new(false),
            });
            queue.push_back(Arc::clone(&queued));
            queued
        };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if queued.has_lock.load(Ordering::Acquire) {
                return Some(FairMutexGuard(self));
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return self.give_up(&queued);
            }
            Waiter::wait(deadline);
        }
    }

    /// Leaves the queue, unless the lock was handed over in the meantime.
    fn give_up(&self, queued: &Arc<QueuedWaiter>) -> Option<FairMutexGuard<'_>> {
        let mut queue = self.queue.lock();
        if queued.has_lock.load(Ordering::Acquire) {
            return Some(FairMutexGuard(self));
        }
        queue.retain(|other| !Arc::ptr_eq(other, queued));
        None
    }

    /// Passes the lock to the first waiter in the queue, or frees it.
    #[cold]
    fn hand_over(&self) {
        let next = {
            let mut queue = self.queue.lock();
            match queue.pop_front() {
                None => {
                    self.state.store(FREE, Ordering::Release);
                    return;
                }
                Some(next) => {
                    next.has_lock.store(true, Ordering::Release);
                    next
                }
            }
        };
        next.waiter.wake();
    }
}

/// Unlocks the mutex when it is dropped.
pub(crate) struct FairMutexGuard<'a>(&'a FairMutex);

impl Drop for FairMutexGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        let state = &self.0.state;
        let unlocked = state.compare_exchange(LOCKED, FREE, Ordering::Release, Ordering::Relaxed);
        if unlocked.is_err() {
            self.0.hand_over();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn one_thread_at_a_time_holds_the_lock_and_each_gets_it() {
        let mutex = FairMutex::default();
        let (inside, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let _guard = mutex.lock(|| None).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), 8000);
        assert_eq!(mutex.state.load(Ordering::SeqCst), FREE);
    }

    #[test]
    fn a_waiter_that_times_out_leaves_the_queue() {
        let mutex = FairMutex::default();
        let guard = mutex.lock(|| None).unwrap();
        let soon = || Some(Duration::from_millis(10));
        thread::scope(|scope| {
            assert!(scope.spawn(|| mutex.lock(soon).is_none()).join().unwrap());
        });
        assert!(mutex.queue.lock().is_empty());
        drop(guard);
        assert!(mutex.lock(soon).is_some());
    }

    #[test]
    fn a_waiter_gets_the_lock_when_it_is_released() {
        let mutex = FairMutex::default();
        let guard = mutex.lock(|| None).unwrap();
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let guard = mutex.lock(|| None);
                sender.send(guard.is_some()).unwrap();
            });
            while mutex.queue.lock().is_empty() {
                thread::yield_now();
            }
            assert!(receiver.try_recv().is_err());
            drop(guard);
            assert!(receiver.recv().unwrap());
        });
    }
}
