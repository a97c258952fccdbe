//! Models of `Monitor`: a value behind a lock, and waits for it to change.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::SOME_TIME;
use crate::coroutine::as_coroutine;
use crate::coroutine::monitor::Monitor;

/// Waits for a value of at least `least`. Returns whether it was reached.
fn wait_for(monitor: &Monitor<usize>, least: usize, timeout: Option<Duration>) -> bool {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let value = monitor.lock();
    let (value, came) = monitor.wait_while(value, deadline, |value| *value < least);
    assert_eq!(came, *value >= least);
    assert!(came || Instant::now() >= deadline.expect("there is a limit"));
    came
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

fn wait_for_all_changes(changes: usize) {
    let monitor = Arc::new(Monitor::new(0));
    let waiters = [true, false, true].map(|coroutine| {
        spawn_waiter(&monitor, coroutine, move |monitor| {
            for least in 1..=changes {
                assert!(wait_for(monitor, least, None));
            }
        })
    });
    let hurried = [true, false].map(|coroutine| {
        spawn_waiter(&monitor, coroutine, move |monitor| {
            // A bounded number of waits that may time out.
            let _ = wait_for(monitor, 1, Some(SOME_TIME));
            let _ = wait_for(monitor, changes, Some(SOME_TIME));
        })
    });
    for _ in 0..changes {
        change(&monitor);
    }
    for waiter in waiters.into_iter().chain(hurried) {
        waiter.join().expect("it ends");
    }
}

/// Every change wakes the threads and coroutines that wait for it, even if others time out.
pub fn no_waiter_misses_a_change() {
    wait_for_all_changes(2);
}

fn one_waiter(coroutine: bool, timeout: Option<Duration>) {
    let monitor = Arc::new(Monitor::new(0));
    let waiter = spawn_waiter(&monitor, coroutine, move |monitor| {
        assert!(wait_for(monitor, 1, timeout) || timeout.is_some());
    });
    *monitor.lock() += 1;
    monitor.notify_one();
    waiter.join().expect("it ends");
}

/// One thread and one change: small enough for an exhaustive search.
pub fn a_thread_notices_the_change() {
    one_waiter(false, None);
    one_waiter(false, Some(SOME_TIME));
}

/// Variant with a coroutine.
pub fn a_coroutine_notices_the_change() {
    one_waiter(true, None);
}

/// Variant with a coroutine that may time out.
pub fn a_coroutine_notices_the_change_or_times_out() {
    one_waiter(true, Some(SOME_TIME));
}

/// Two coroutines wait, and the value changes twice.
pub fn two_coroutines_notice_all_changes() {
    let monitor = Arc::new(Monitor::new(0));
    let waiters = [1, 2].map(|least| {
        spawn_waiter(&monitor, true, move |monitor| {
            assert!(wait_for(monitor, least, None));
        })
    });
    let other = Arc::clone(&monitor);
    let changer = thread::spawn(move || change(&other));
    change(&monitor);
    for thread in waiters.into_iter().chain([changer]) {
        thread.join().expect("it ends");
    }
}
