//! Models of `FairMutex`: a lock that serves threads and coroutines in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::SOME_TIME;
use crate::coroutine::as_coroutine;
use crate::coroutine::fair_mutex::FairMutex;

#[derive(Default)]
struct Shared {
    mutex: FairMutex,
    inside: AtomicUsize,
    /// Number of times that the lock was held.
    locks: AtomicUsize,
}

impl Shared {
    /// Locks and unlocks. Returns `false` if the wait timed out.
    fn enter(&self, timeout: Option<Duration>) -> bool {
        let Some(_guard) = self.mutex.lock(|| timeout) else {
            return false;
        };
        assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0);
        thread::yield_now();
        // All orderings are relaxed: the lock itself makes these changes visible to its next holder.
        let locks = self.locks.load(Ordering::Relaxed);
        self.locks.store(locks + 1, Ordering::Relaxed);
        assert_eq!(self.inside.fetch_sub(1, Ordering::Relaxed), 1);
        true
    }
}

#[derive(Clone, Copy)]
struct Locker {
    timeout: Option<Duration>,
    coroutine: bool,
    locks: usize,
}

impl Locker {
    fn run(self, shared: &Shared) -> usize {
        let lock = || {
            let locked = (0..self.locks).map(|_| shared.enter(self.timeout));
            locked.filter(|locked| *locked).count()
        };
        let locked = if self.coroutine {
            as_coroutine(lock)
        } else {
            lock()
        };
        assert!(locked == self.locks || self.timeout.is_some());
        locked
    }
}

/// Every waiter without a timeout gets the lock as often as it asks, and the lock is free at the end.
fn lock_all(lockers: &[Locker]) {
    let shared = Arc::new(Shared::default());
    let threads: Vec<_> = lockers
        .iter()
        .map(|locker| {
            let (locker, shared) = (*locker, Arc::clone(&shared));
            thread::spawn(move || locker.run(&shared))
        })
        .collect();
    let locked: usize = threads
        .into_iter()
        .map(|thread| thread.join().expect("it ends"))
        .sum();
    assert_eq!(shared.locks.load(Ordering::SeqCst), locked);
    let at_once = || panic!("the lock is still held");
    assert!(shared.mutex.lock(at_once).is_some(), "it is free");
}

const WITHOUT_TIMEOUT: Locker = Locker {
    timeout: None,
    coroutine: false,
    locks: 2,
};

const WITH_TIMEOUT: Locker = Locker {
    timeout: Some(SOME_TIME),
    ..WITHOUT_TIMEOUT
};

/// One waiter at a time holds the lock, and each gets it.
pub fn every_waiter_gets_the_lock() {
    let coroutine = Locker {
        coroutine: true,
        ..WITHOUT_TIMEOUT
    };
    lock_all(&[WITHOUT_TIMEOUT, coroutine, WITHOUT_TIMEOUT]);
}

/// Waiters time out, perhaps at the moment at which they get the lock: no other waiter is delayed.
pub fn a_waiter_that_times_out_delays_no_other() {
    let coroutine = Locker {
        coroutine: true,
        ..WITH_TIMEOUT
    };
    lock_all(&[WITHOUT_TIMEOUT, WITH_TIMEOUT, coroutine]);
}

/// Two threads, once each: small enough for an exhaustive search.
pub fn two_threads_get_the_lock() {
    let once = Locker {
        locks: 1,
        ..WITHOUT_TIMEOUT
    };
    lock_all(&[once; 2]);
}

/// Variant with one waiter that may time out.
pub fn one_of_two_times_out() {
    let with_timeout = Locker {
        locks: 1,
        ..WITH_TIMEOUT
    };
    lock_all(&[
        Locker {
            locks: 1,
            ..WITHOUT_TIMEOUT
        },
        with_timeout,
    ]);
}

/// Two wait, of which one may time out just as it gets the lock: the other gets it then.
pub fn one_of_three_times_out() {
    let once = Locker {
        locks: 1,
        ..WITHOUT_TIMEOUT
    };
    let with_timeout = Locker {
        locks: 1,
        coroutine: true,
        ..WITH_TIMEOUT
    };
    lock_all(&[once, with_timeout, once]);
}
