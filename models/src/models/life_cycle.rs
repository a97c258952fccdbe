//! Models of `LifeCycle`: which run may begin, what a stop does in each phase, and which waits it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::models::{FOREVER, SOME_TIME};
use crate::state::Phase;
use crate::state::life_cycle::{LifeCycle, RunKind, Stop};

type SharedLifeCycle = Arc<LifeCycle<usize>>;

fn new(grace_period: Duration, lame_duck: Duration) -> SharedLifeCycle {
    let life_cycle = LifeCycle::new();
    life_cycle.configure_shutdown(|config| {
        config.grace_period = grace_period;
        config.lame_duck = lame_duck;
    });
    Arc::new(life_cycle)
}

fn stop(life_cycle: &SharedLifeCycle) -> Stop {
    life_cycle.stop(false, || (), || 0)
}

fn spawn_stop(life_cycle: &SharedLifeCycle) -> JoinHandle<Stop> {
    let life_cycle = Arc::clone(life_cycle);
    thread::spawn(move || stop(&life_cycle))
}

/// Requests a stop of a server with a lame-duck time, and spawns the thread that ends this time.
fn spawn_lame_duck(life_cycle: &SharedLifeCycle) -> JoinHandle<bool> {
    let Stop::Deferred { run } = stop(life_cycle) else {
        panic!("the server is serving");
    };
    let life_cycle = Arc::clone(life_cycle);
    thread::spawn(move || life_cycle.finish_lame_duck(run, false, || (), || 0))
}

/// Serves until a stop.
fn serve(life_cycle: &SharedLifeCycle) {
    assert!(life_cycle.begin_run(RunKind::Forever));
    assert!(life_cycle.wait_until_stopping(None));
    assert!(life_cycle.is_stopping() && life_cycle.is_shutting_down());
    life_cycle.end_run(|| ());
}

/// Two stops, before or during the run, end this run and not the next one.
pub fn a_stop_ends_the_run() {
    let life_cycle = new(FOREVER, Duration::ZERO);
    let stops = [spawn_stop(&life_cycle), spawn_stop(&life_cycle)];
    serve(&life_cycle);
    let results = stops.map(|stop| stop.join().expect("a stop never waits"));
    let requested = results.iter().filter(|stop| **stop == Stop::Requested);
    assert_eq!(requested.count(), 1, "{results:?}");
    assert!(
        !life_cycle.is_stopping(),
        "no stop is left for the next run"
    );
    assert_eq!(life_cycle.phase(), Phase::Bound);
    assert_eq!(life_cycle.ended_runs(), 1);
}

/// A wait for the end of a run returns, whether it begins before or after that end.
pub fn the_end_of_a_run_wakes_waiters() {
    let life_cycle = new(FOREVER, Duration::ZERO);
    let serving = {
        let life_cycle = Arc::clone(&life_cycle);
        thread::spawn(move || serve(&life_cycle))
    };
    stop(&life_cycle);
    assert!(life_cycle.wait_until_stopped(None));
    serving.join().expect("the run ends");
    assert!(life_cycle.wait_until_stopped(None));
}

/// Two threads begin a run at the same time.
pub fn only_one_run_at_a_time() {
    let life_cycle = new(FOREVER, Duration::ZERO);
    let runs = Arc::new(AtomicUsize::new(0));
    let try_to_serve = |life_cycle: &SharedLifeCycle, runs: &AtomicUsize| {
        if !life_cycle.begin_run(RunKind::Once) {
            return;
        }
        assert_eq!(runs.fetch_add(1, Ordering::SeqCst), 0);
        runs.fetch_sub(1, Ordering::SeqCst);
        life_cycle.end_run(|| ());
    };
    let other = {
        let (life_cycle, runs) = (Arc::clone(&life_cycle), Arc::clone(&runs));
        thread::spawn(move || try_to_serve(&life_cycle, &runs))
    };
    try_to_serve(&life_cycle, &runs);
    other.join().expect("the thread does not panic");
}

/// The lame-duck time expires while the run ends by itself. The stop ends this run or none.
pub fn a_lame_duck_ends_with_its_run() {
    let life_cycle = new(FOREVER, SOME_TIME);
    assert!(life_cycle.begin_run(RunKind::Forever));
    let lame_duck = spawn_lame_duck(&life_cycle);
    assert!(life_cycle.is_shutting_down());
    life_cycle.end_run(|| ());
    assert!(life_cycle.begin_run(RunKind::Forever));
    assert!(!life_cycle.is_stopping() && !life_cycle.is_shutting_down());
    assert_eq!(life_cycle.phase(), Phase::Serving);
    lame_duck.join().expect("the lame-duck time expires");
    assert!(
        !life_cycle.is_stopping(),
        "no stop is left for the next run"
    );
}

/// The lame-duck time expires while another stop is requested.
pub fn a_lame_duck_is_stopped() {
    let life_cycle = new(FOREVER, SOME_TIME);
    assert!(life_cycle.begin_run(RunKind::Forever));
    let lame_duck = spawn_lame_duck(&life_cycle);
    let second = spawn_stop(&life_cycle);
    assert!(life_cycle.wait_until_stopping(None));
    life_cycle.end_run(|| ());
    assert!(lame_duck.join().expect("the lame-duck time expires"));
    let second = second.join().expect("a stop never waits");
    let allowed = [Stop::AlreadyRequested, Stop::TooLate];
    assert!(allowed.contains(&second), "{second:?}");
}

/// The run ends while a thread watches its grace period. Connections of the next run are not force-closed.
pub fn a_watch_ends_with_its_run() {
    let life_cycle = new(SOME_TIME, Duration::ZERO);
    assert!(life_cycle.begin_run(RunKind::Forever));
    stop(&life_cycle);
    let ended = Arc::new(AtomicBool::new(false));
    let watch = {
        let (life_cycle, ended) = (Arc::clone(&life_cycle), Arc::clone(&ended));
        let run = life_cycle.claim_watch().expect("no other thread watches");
        assert_eq!(life_cycle.claim_watch(), None);
        thread::spawn(move || {
            life_cycle.watch(run, || assert!(!ended.load(Ordering::SeqCst)));
        })
    };
    life_cycle.end_run(|| ended.store(true, Ordering::SeqCst));
    assert!(life_cycle.begin_run(RunKind::Forever));
    watch.join().expect("the watch ends");
    assert!(life_cycle.claim_watch().is_some());
}

/// A thread waits for a condition outside the life cycle.
pub fn a_notified_waiter_sees_the_change() {
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
    ending.join().expect("the thread does not panic");
}
