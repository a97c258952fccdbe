//! How models are searched.

use std::sync::{Mutex, PoisonError};

use model_std::chance;

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// How many schedules of each kind a random search tries, unless `MODELS_ITERATIONS` says otherwise.
const ITERATIONS: usize = 6_000;

/// More schedules than this, and a model is not small enough for an exhaustive search.
const MOST: usize = 3_000_000;

fn config() -> Config {
    let mut config = Config::default();
    // What is modelled orders all its stores, or is checked with loom.
    config.silence_warnings = true;
    config
}

fn iterations() -> usize {
    match std::env::var("MODELS_ITERATIONS") {
        Ok(number) => number.parse().expect("MODELS_ITERATIONS is a number"),
        Err(_) => ITERATIONS,
    }
}

/// Tries random schedules: each step by any thread, and with priorities that change at a few moments
/// (PCT), which finds what needs few but particular switches.
pub fn randomly(model: fn()) {
    chance::set_exhaustive(false);
    let iterations = iterations();
    Runner::new(RandomScheduler::new(iterations), config()).run(model);
    for depth in [2, 4] {
        Runner::new(PctScheduler::new(depth, iterations / 2), config()).run(model);
    }
}

/// The same for models of what has statics: the model checker has a world for each thread that searches,
/// and statics must not be in two of them at the same time.
pub fn alone(model: fn()) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    randomly(model);
}

/// Tries every schedule.
pub fn exhaustively(model: fn()) {
    chance::set_exhaustive(true);
    let tried = Runner::new(DfsScheduler::new(Some(MOST), false), config()).run(model);
    assert!(tried < MOST, "not all schedules of this model can be tried");
    println!("{tried} schedules, which are all");
}
