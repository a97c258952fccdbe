//! Models of `FairMutex`, a lock for threads and coroutines that serves waiters in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::coroutine::as_coroutine;
use crate::coroutine::fair_mutex::FairMutex;
use crate::models::SOME_TIME;

#[derive(Default)]
struct Shared {
    mutex: FairMutex,
    /// Number of threads that hold the lock.
    holders: AtomicUsize,
    /// Number of times that the lock was taken.
    locked: AtomicUsize,
}

impl Shared {
    /// Locks the mutex, and asserts that no other thread holds it. Returns `false` if the timeout expires.
    fn lock(&self, timeout: Option<Duration>) -> bool {
        let Some(_guard) = self.mutex.lock(|| timeout) else {
            return false;
        };
        assert_eq!(self.holders.fetch_add(1, Ordering::Relaxed), 0);
        thread::yield_now();
        // All orderings here are relaxed, because the mutex must make these stores visible to the next
        // holder.
        let locked = self.locked.load(Ordering::Relaxed);
        self.locked.store(locked + 1, Ordering::Relaxed);
        assert_eq!(self.holders.fetch_sub(1, Ordering::Relaxed), 1);
        true
    }
}

/// A thread or coroutine that locks the mutex `attempts` times.
#[derive(Clone, Copy)]
struct Locker {
    timeout: Option<Duration>,
    coroutine: bool,
    attempts: usize,
}

impl Locker {
    /// Returns the number of attempts that succeeded.
    fn run(self, shared: &Shared) -> usize {
        let lock = || {
            let results = (0..self.attempts).map(|_| shared.lock(self.timeout));
            results.filter(|locked| *locked).count()
        };
        let locked = if self.coroutine {
            as_coroutine(lock)
        } else {
            lock()
        };
        assert!(locked == self.attempts || self.timeout.is_some());
        locked
    }
}

/// Runs the lockers at the same time. Asserts that every attempt without a timeout succeeds, and that the
/// mutex is free in the end.
fn run(lockers: &[Locker]) {
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
        .map(|thread| thread.join().expect("the locker does not panic"))
        .sum();
    assert_eq!(shared.locked.load(Ordering::SeqCst), locked);
    let timeout = || panic!("the mutex must be free");
    assert!(shared.mutex.lock(timeout).is_some());
}

const PATIENT: Locker = Locker {
    timeout: None,
    coroutine: false,
    attempts: 2,
};

const IMPATIENT: Locker = Locker {
    timeout: Some(SOME_TIME),
    ..PATIENT
};

/// One holder at a time, and every waiter becomes the holder.
pub fn every_waiter_gets_the_lock() {
    let coroutine = Locker {
        coroutine: true,
        ..PATIENT
    };
    run(&[PATIENT, coroutine, PATIENT]);
}

/// Some waiters leave the queue, perhaps in the moment in which they get the lock.
pub fn a_waiter_that_times_out_delays_no_other() {
    let coroutine = Locker {
        coroutine: true,
        ..IMPATIENT
    };
    run(&[PATIENT, IMPATIENT, coroutine]);
}

/// Two waiters with one attempt each, small enough for an exhaustive search.
pub fn two_waiters_get_the_lock() {
    let once = Locker {
        attempts: 1,
        ..PATIENT
    };
    run(&[once; 2]);
}

/// Two waiters, one of which may time out.
pub fn one_of_two_waiters_times_out() {
    let once = Locker {
        attempts: 1,
        ..PATIENT
    };
    let impatient = Locker {
        attempts: 1,
        ..IMPATIENT
    };
    run(&[once, impatient]);
}

/// Three waiters, one of which may time out in the moment in which it gets the lock. The next waiter gets the
/// lock then.
pub fn one_of_three_waiters_times_out() {
    let once = Locker {
        attempts: 1,
        ..PATIENT
    };
    let impatient = Locker {
        attempts: 1,
        coroutine: true,
        ..IMPATIENT
    };
    run(&[once, impatient, once]);
}
