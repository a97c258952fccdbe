//! Models of `Monitor`, a value that threads and coroutines can wait for.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::coroutine::as_coroutine;
use crate::coroutine::monitor::Monitor;
use crate::models::SOME_TIME;

/// Waits until the value is at least `min`. Returns `false` if the timeout expires before.
fn wait_for(monitor: &Monitor<usize>, min: usize, timeout: Option<Duration>) -> bool {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let value = monitor.lock();
    let (value, reached) = monitor.wait_while(value, deadline, |value| *value < min);
    assert_eq!(reached, *value >= min);
    assert!(
        reached || Instant::now() >= deadline.expect("a wait without a deadline never expires")
    );
    reached
}

fn spawn_waiter(
    monitor: &Arc<Monitor<usize>>,
    coroutine: bool,
    wait: impl FnOnce(&Monitor<usize>) + Send + 'static,
) -> thread::JoinHandle<()> {
    let monitor = Arc::clone(monitor);
    thread::spawn(move || {
        if coroutine {
            as_coroutine(|| wait(&monitor));
        } else {
            wait(&monitor);
        }
    })
}

fn change(monitor: &Monitor<usize>) {
    *monitor.lock() += 1;
    monitor.notify_all();
}

/// Threads and coroutines wait for two changes each, with and without timeouts.
pub fn no_waiter_misses_a_change() {
    const CHANGES: usize = 2;
    let monitor = Arc::new(Monitor::new(0));
    let patient = [true, false, true].map(|coroutine| {
        spawn_waiter(&monitor, coroutine, |monitor| {
            for min in 1..=CHANGES {
                assert!(wait_for(monitor, min, None));
            }
        })
    });
    let impatient = [true, false].map(|coroutine| {
        spawn_waiter(&monitor, coroutine, |monitor| {
            let _ = wait_for(monitor, 1, Some(SOME_TIME));
            let _ = wait_for(monitor, CHANGES, Some(SOME_TIME));
        })
    });
    for _ in 0..CHANGES {
        change(&monitor);
    }
    for waiter in patient.into_iter().chain(impatient) {
        waiter.join().expect("the waiter does not panic");
    }
}

fn one_waiter(coroutine: bool, timeout: Option<Duration>) {
    let monitor = Arc::new(Monitor::new(0));
    let waiter = spawn_waiter(&monitor, coroutine, move |monitor| {
        assert!(wait_for(monitor, 1, timeout) || timeout.is_some());
    });
    *monitor.lock() += 1;
    monitor.notify_one();
    waiter.join().expect("the waiter does not panic");
}

/// One thread and one change, small enough for an exhaustive search.
pub fn a_thread_is_woken_by_a_change() {
    one_waiter(false, None);
    one_waiter(false, Some(SOME_TIME));
}

pub fn a_coroutine_is_woken_by_a_change() {
    one_waiter(true, None);
}

pub fn a_coroutine_is_woken_or_times_out() {
    one_waiter(true, Some(SOME_TIME));
}

/// Two coroutines wait while two threads change the value.
pub fn two_coroutines_see_all_changes() {
    let monitor = Arc::new(Monitor::new(0));
    let waiters = [1, 2].map(|min| {
        spawn_waiter(&monitor, true, move |monitor| {
            assert!(wait_for(monitor, min, None));
        })
    });
    let other = Arc::clone(&monitor);
    let changer = thread::spawn(move || change(&other));
    change(&monitor);
    for thread in waiters.into_iter().chain([changer]) {
        thread.join().expect("the thread does not panic");
    }
}
