//! Models of `LifeCycle`: runs, stops and the waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::state::Phase;
use crate::state::life_cycle::{LifeCycle, RunKind, Stop};
use crate::{FOREVER, SOME_TIME};

type Shared = Arc<LifeCycle<usize>>;

/// Makes a life cycle whose waits last until an event ends them.
fn new(grace_period: Duration, lame_duck: Duration) -> Shared {
    let life_cycle = LifeCycle::new();
    life_cycle.configure_shutdown(|config| {
        config.grace_period = grace_period;
        config.lame_duck = lame_duck;
    });
    Arc::new(life_cycle)
}

fn stop(life_cycle: &Shared, by_signal: bool) -> Stop {
    life_cycle.stop(by_signal, || (), || 0)
}

fn stopper(life_cycle: &Shared) -> JoinHandle<Stop> {
    let life_cycle = Arc::clone(life_cycle);
    thread::spawn(move || stop(&life_cycle, false))
}

/// Runs until a stop.
fn serve(life_cycle: &Shared) {
    assert!(life_cycle.begin_run(RunKind::Forever), "no other run");
    assert!(life_cycle.wait_for_stop(None));
    assert!(life_cycle.is_stopping() && life_cycle.is_shutting_down());
    life_cycle.end_run(|| ());
}

/// A stop before or during the run ends it, also if there are several of them.
pub fn a_stop_ends_the_run() {
    let life_cycle = new(FOREVER, Duration::ZERO);
    let stoppers = [stopper(&life_cycle), stopper(&life_cycle)];
    serve(&life_cycle);
    let outcomes = stoppers.map(|stopper| stopper.join().expect("it never waits"));
    let asked = outcomes
        .iter()
        .filter(|outcome| **outcome == Stop::Requested);
    assert_eq!(asked.count(), 1, "{outcomes:?}");
    assert!(
        !life_cycle.is_stopping(),
        "no stop is left for the next run"
    );
    assert_eq!(life_cycle.phase(), Phase::Bound);
    assert_eq!(life_cycle.ended_runs(), 1);
}

/// A wait for the end of a run ends, whenever the run does.
pub fn the_end_of_a_run_wakes_its_waiters() {
    let life_cycle = new(FOREVER, Duration::ZERO);
    let serving = {
        let life_cycle = Arc::clone(&life_cycle);
        thread::spawn(move || serve(&life_cycle))
    };
    stop(&life_cycle, false);
    assert!(life_cycle.wait_until_stopped(None));
    serving.join().expect("it has served");
    assert!(life_cycle.wait_until_stopped(None));
}

/// Of two runs at the same time, one is rejected.
pub fn only_one_run_at_a_time() {
    let life_cycle = new(FOREVER, Duration::ZERO);
    let inside = Arc::new(AtomicUsize::new(0));
    let try_it = |life_cycle: &Shared, inside: &AtomicUsize| {
        if !life_cycle.begin_run(RunKind::Once) {
            return;
        }
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        inside.fetch_sub(1, Ordering::SeqCst);
        life_cycle.end_run(|| ());
    };
    let other = {
        let (life_cycle, inside) = (Arc::clone(&life_cycle), Arc::clone(&inside));
        thread::spawn(move || try_it(&life_cycle, &inside))
    };
    try_it(&life_cycle, &inside);
    other.join().expect("it has tried");
}

/// The lame-duck time expires while its run ends by itself: the stop takes effect in this run or in none.
pub fn a_lame_duck_ends_with_its_run() {
    let life_cycle = new(FOREVER, SOME_TIME);
    assert!(life_cycle.begin_run(RunKind::Forever));
    let Stop::Deferred { run } = stop(&life_cycle, false) else {
        panic!("it serves");
    };
    assert!(life_cycle.is_shutting_down());
    let later = {
        let life_cycle = Arc::clone(&life_cycle);
        thread::spawn(move || life_cycle.finish_lame_duck(run, false, || (), || 0))
    };
    life_cycle.end_run(|| ());
    assert!(life_cycle.begin_run(RunKind::Forever));
    assert!(!life_cycle.is_stopping() && !life_cycle.is_shutting_down());
    assert_eq!(life_cycle.phase(), Phase::Serving);
    later.join().expect("the watcher ends");
    assert!(!life_cycle.is_stopping(), "the next run is not stopped");
}

/// The lame-duck time expires while a second stop is requested.
pub fn a_lame_duck_is_stopped() {
    let life_cycle = new(FOREVER, SOME_TIME);
    assert!(life_cycle.begin_run(RunKind::Forever));
    let Stop::Deferred { run } = stop(&life_cycle, false) else {
        panic!("it serves");
    };
    let later = {
        let life_cycle = Arc::clone(&life_cycle);
        thread::spawn(move || life_cycle.finish_lame_duck(run, false, || (), || 0))
    };
    let again = stopper(&life_cycle);
    assert!(life_cycle.wait_for_stop(None));
    life_cycle.end_run(|| ());
    assert!(later.join().expect("the watcher ends"));
    let again = again.join().expect("it never waits");
    assert!(
        again == Stop::AlreadyRequested || again == Stop::TooLate,
        "{again:?} is not the second"
    );
}

/// A run ends while its grace period is watched: the watch force-closes this run or none, and never the next.
pub fn a_watch_ends_with_its_run() {
    let life_cycle = new(SOME_TIME, Duration::ZERO);
    assert!(life_cycle.begin_run(RunKind::Forever));
    stop(&life_cycle, false);
    let ended = Arc::new(AtomicBool::new(false));
    let watching = {
        let (life_cycle, ended) = (Arc::clone(&life_cycle), Arc::clone(&ended));
        let run = life_cycle.claim_watch().expect("no watch yet");
        assert_eq!(life_cycle.claim_watch(), None);
        thread::spawn(move || {
            life_cycle.watch(run, || assert!(!ended.load(Ordering::SeqCst)));
        })
    };
    life_cycle.end_run(|| ended.store(true, Ordering::SeqCst));
    assert!(life_cycle.begin_run(RunKind::Forever));
    watching.join().expect("the watch ends");
    assert!(
        life_cycle.claim_watch().is_some(),
        "the next run has a watch of its own"
    );
}

/// A wait for a counter outside the life cycle ends when the counter changes.
pub fn a_notification_wakes_its_waiters() {
    let life_cycle = new(FOREVER, Duration::ZERO);
    let active = Arc::new(AtomicUsize::new(1));
    let ending = {
        let (life_cycle, active) = (Arc::clone(&life_cycle), Arc::clone(&active));
        thread::spawn(move || {
            active.fetch_sub(1, Ordering::SeqCst);
            life_cycle.notify_waiters();
        })
    };
    assert!(life_cycle.wait_while(None, || active.load(Ordering::SeqCst) > 0));
    ending.join().expect("it has ended");
}
