//! Models of `LifeCycle`: who may serve, what a stop means in which phase, and who waits for what.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::life_cycle::{LifeCycle, Phase, Run, Stop};
use crate::{FOREVER, SOME_TIME};

type Life = Arc<LifeCycle<usize>>;

/// A server that is left alone waits for ever: only what it is told ends its waits.
fn new(grace: Duration, lame_duck: Duration) -> Life {
    let life = LifeCycle::new();
    life.change_patience(|patience| {
        patience.grace = grace;
        patience.lame_duck = lame_duck;
    });
    Arc::new(life)
}

fn stop(life: &Life, by_signal: bool) -> Stop {
    life.stop(by_signal, || (), || 0)
}

fn stopper(life: &Life) -> JoinHandle<Stop> {
    let life = Arc::clone(life);
    thread::spawn(move || stop(&life, false))
}

/// Runs until a stop.
fn serve(life: &Life) {
    assert!(life.begin_run(Run::Forever), "nobody else serves");
    assert!(life.wait_for_stop(None));
    assert!(life.is_stopping() && life.is_shutting_down());
    life.end_run(|| ());
}

/// A stop before or during the run ends it, also if there are several of them.
pub fn a_stop_ends_the_run() {
    let life = new(FOREVER, Duration::ZERO);
    let stoppers = [stopper(&life), stopper(&life)];
    serve(&life);
    let outcomes = stoppers.map(|stopper| stopper.join().expect("it never waits"));
    let asked = outcomes.iter().filter(|outcome| **outcome == Stop::Asked);
    assert_eq!(asked.count(), 1, "{outcomes:?}");
    assert!(!life.is_stopping(), "no stop is left for the next run");
    assert_eq!(life.phase(), Phase::Bound);
    assert_eq!(life.ended_runs(), 1);
}

/// Whoever waits for the end of a run hears of it, whenever that comes.
pub fn the_end_of_a_run_is_heard_of() {
    let life = new(FOREVER, Duration::ZERO);
    let serving = {
        let life = Arc::clone(&life);
        thread::spawn(move || serve(&life))
    };
    stop(&life, false);
    assert!(life.wait_until_stopped(None));
    serving.join().expect("it has served");
    assert!(life.wait_until_stopped(None));
}

/// Of two who serve at the same time one is told that it may not.
pub fn only_one_serves() {
    let life = new(FOREVER, Duration::ZERO);
    let inside = Arc::new(AtomicUsize::new(0));
    let try_it = |life: &Life, inside: &AtomicUsize| {
        if !life.begin_run(Run::Once) {
            return;
        }
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        inside.fetch_sub(1, Ordering::SeqCst);
        life.end_run(|| ());
    };
    let other = {
        let (life, inside) = (Arc::clone(&life), Arc::clone(&inside));
        thread::spawn(move || try_it(&life, &inside))
    };
    try_it(&life, &inside);
    other.join().expect("it has tried");
}

/// A stop that comes as a lame duck's time is over, or as its run ends by itself: either it is carried out in
/// this run, or in none.
pub fn a_lame_duck_ends_with_its_run() {
    let life = new(FOREVER, SOME_TIME);
    assert!(life.begin_run(Run::Forever));
    let Stop::Later { run } = stop(&life, false) else {
        panic!("it serves");
    };
    assert!(life.is_shutting_down());
    let later = {
        let life = Arc::clone(&life);
        thread::spawn(move || life.finish_lame_duck(run, false, || (), || 0))
    };
    life.end_run(|| ());
    assert!(life.begin_run(Run::Forever));
    assert!(!life.is_stopping() && !life.is_shutting_down());
    assert_eq!(life.phase(), Phase::Serving);
    later.join().expect("its time is over");
    assert!(!life.is_stopping(), "the next run has no part in it");
}

/// A lame duck comes to its end while others ask for the same.
pub fn a_lame_duck_is_stopped() {
    let life = new(FOREVER, SOME_TIME);
    assert!(life.begin_run(Run::Forever));
    let Stop::Later { run } = stop(&life, false) else {
        panic!("it serves");
    };
    let later = {
        let life = Arc::clone(&life);
        thread::spawn(move || life.finish_lame_duck(run, false, || (), || 0))
    };
    let again = stopper(&life);
    assert!(life.wait_for_stop(None));
    life.end_run(|| ());
    assert!(later.join().expect("its time is over"));
    let again = again.join().expect("it never waits");
    assert!(
        again == Stop::Again || again == Stop::Ignored,
        "{again:?} is not the second"
    );
}

/// The run ends while somebody watches: it is this run that is cut, if any, and never what comes after it.
pub fn who_watches_goes_home_with_the_run() {
    let life = new(SOME_TIME, Duration::ZERO);
    assert!(life.begin_run(Run::Forever));
    stop(&life, false);
    let ended = Arc::new(AtomicBool::new(false));
    let watching = {
        let (life, ended) = (Arc::clone(&life), Arc::clone(&ended));
        let run = life.claim_watch().expect("nobody watches yet");
        assert_eq!(life.claim_watch(), None);
        thread::spawn(move || {
            life.watch(run, || assert!(!ended.load(Ordering::SeqCst)));
        })
    };
    life.end_run(|| ended.store(true, Ordering::SeqCst));
    assert!(life.begin_run(Run::Forever));
    watching.join().expect("it has gone home");
    assert!(
        life.claim_watch().is_some(),
        "the next run is another matter"
    );
}

/// Whoever waits for something that is counted elsewhere hears of it.
pub fn what_is_announced_is_heard() {
    let life = new(FOREVER, Duration::ZERO);
    let active = Arc::new(AtomicUsize::new(1));
    let ending = {
        let (life, active) = (Arc::clone(&life), Arc::clone(&active));
        thread::spawn(move || {
            active.fetch_sub(1, Ordering::SeqCst);
            life.announce();
        })
    };
    assert!(life.wait_while(None, || active.load(Ordering::SeqCst) > 0));
    ending.join().expect("it has ended");
}
