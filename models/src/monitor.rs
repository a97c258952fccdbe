//! Models of `Monitor`: a value behind a lock, and those who wait for it to change.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::SOME_TIME;
use crate::sys::condition::Monitor;
use crate::sys::coroutine::as_coroutine;

/// Waits for at least `least`, and says whether it came.
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

fn hear_all_changes(changes: usize) {
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
            // It gives up again and again, but not for ever.
            let _ = wait_for(monitor, 1, Some(SOME_TIME));
            let _ = wait_for(monitor, changes, Some(SOME_TIME));
        })
    });
    for _ in 0..changes {
        change(&monitor);
    }
    for waiter in waiters.into_iter().chain(hurried) {
        waiter.join().expect("it has heard");
    }
}

/// Threads and coroutines that wait hear of every change, whoever gives up beside them.
pub fn nobody_misses_a_change() {
    hear_all_changes(2);
}

fn one_waiter(coroutine: bool, timeout: Option<Duration>) {
    let monitor = Arc::new(Monitor::new(0));
    let waiter = spawn_waiter(&monitor, coroutine, move |monitor| {
        assert!(wait_for(monitor, 1, timeout) || timeout.is_some());
    });
    *monitor.lock() += 1;
    monitor.notify_one();
    waiter.join().expect("it has heard");
}

/// One thread and one change, small enough to try everything.
pub fn a_thread_hears_of_the_change() {
    one_waiter(false, None);
    one_waiter(false, Some(SOME_TIME));
}

/// The same with a coroutine.
pub fn a_coroutine_hears_of_the_change() {
    one_waiter(true, None);
}

/// The same with a coroutine that may give up.
pub fn a_coroutine_hears_or_gives_up() {
    one_waiter(true, Some(SOME_TIME));
}

/// Two coroutines wait, and the value changes twice.
pub fn two_coroutines_hear_of_all_changes() {
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
        thread.join().expect("it has heard");
    }
}
