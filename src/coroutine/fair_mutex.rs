//! A lock for those who wait while they hold it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::coroutine::Waiter;

/// A lock that is held while a message is sent, which may lock as long as its client likes. So whoever
/// waits for it does so in the way of its strategy: as a thread, or as a coroutine that lets others go on.
/// First come, first served.
#[derive(Default)]
pub(crate) struct FairMutex {
    /// One of the three below.
    state: AtomicU8,
    waiters: Mutex<VecDeque<Arc<Waiting>>>,
}

const FREE: u8 = 0;
const TAKEN: u8 = 1;
/// Somebody waits, or did.
const CONTENDED: u8 = 2;

/// Somebody in the waiters.
struct Waiting {
    waiter: Waiter,
    has_lock: AtomicBool,
}

impl FairMutex {
    /// Waits for one's turn, at most `timeout`. `None` if that is over.
    #[inline]
    pub(crate) fn lock(
        &self,
        timeout: impl FnOnce() -> Option<Duration>,
    ) -> Option<FairMutexGuard<'_>> {
        let free = self
            .state
            .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed);
        match free {
            Ok(_) => Some(FairMutexGuard(self)),
            Err(_) => self.lock_contended(timeout()),
        }
    }

    #[cold]
    fn lock_contended(&self, timeout: Option<Duration>) -> Option<FairMutexGuard<'_>> {
        let waiting = {
            let mut waiters = self.waiters.lock();
            // Whoever gives it back from now on has to look into the waiters.
            if self.state.swap(CONTENDED, Ordering::Acquire) == FREE {
                return Some(FairMutexGuard(self));
            }
            let waiting = Arc::new(Waiting {
                waiter: Waiter::here()?,
                has_lock: AtomicBool::new(false),
            });
            waiters.push_back(Arc::clone(&waiting));
            waiting
        };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if waiting.has_lock.load(Ordering::Acquire) {
                return Some(FairMutexGuard(self));
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return self.give_up(&waiting);
            }
            Waiter::wait(deadline);
        }
    }

    /// Leaves the waiters, unless it was one's turn in the last moment.
    fn give_up(&self, waiting: &Arc<Waiting>) -> Option<FairMutexGuard<'_>> {
        let mut waiters = self.waiters.lock();
        if waiting.has_lock.load(Ordering::Acquire) {
            return Some(FairMutexGuard(self));
        }
        waiters.retain(|other| !Arc::ptr_eq(other, waiting));
        None
    }

    #[cold]
    fn hand_over(&self) {
        let next = {
            let mut waiters = self.waiters.lock();
            match waiters.pop_front() {
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
        next.waiter.call();
    }
}

/// One's turn, until it is dropped.
pub(crate) struct FairMutexGuard<'a>(&'a FairMutex);

impl Drop for FairMutexGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        let state = &self.0.state;
        let passed = state.compare_exchange(TAKEN, FREE, Ordering::Release, Ordering::Relaxed);
        if passed.is_err() {
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
    fn one_at_a_time_and_everybody_in_the_end() {
        let turn = FairMutex::default();
        let (inside, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let _guard = turn.lock(|| None).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), 8000);
        assert_eq!(turn.state.load(Ordering::SeqCst), FREE);
    }

    #[test]
    fn a_wait_for_it_ends_in_time_and_leaves_no_trace() {
        let turn = FairMutex::default();
        let guard = turn.lock(|| None).unwrap();
        let soon = || Some(Duration::from_millis(10));
        thread::scope(|scope| {
            assert!(scope.spawn(|| turn.lock(soon).is_none()).join().unwrap());
        });
        assert!(turn.waiters.lock().is_empty());
        drop(guard);
        assert!(turn.lock(soon).is_some());
    }

    #[test]
    fn who_waits_gets_it_when_it_is_given_back() {
        let turn = FairMutex::default();
        let guard = turn.lock(|| None).unwrap();
        let (got, has_got) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let guard = turn.lock(|| None);
                got.send(guard.is_some()).unwrap();
            });
            while turn.waiters.lock().is_empty() {
                thread::yield_now();
            }
            assert!(has_got.try_recv().is_err());
            drop(guard);
            assert!(has_got.recv().unwrap());
        });
    }
}
