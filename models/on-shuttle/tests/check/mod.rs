//! The kinds of searches.

use std::sync::{Mutex, PoisonError};

use model_std::chance;

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Default of `MODELS_ITERATIONS`: the number of schedules of each kind that a random search tries.
const ITERATIONS: usize = 6_000;

/// Maximum number of schedules of an exhaustive search.
const MAX_SCHEDULES: usize = 3_000_000;

fn config() -> Config {
    let mut config = Config::default();
    // The warnings are about weak orderings. Sources whose weak orderings matter are checked with loom, too.
    config.silence_warnings = true;
    config
}

fn iterations() -> usize {
    match std::env::var("MODELS_ITERATIONS") {
        Ok(number) => number.parse().expect("MODELS_ITERATIONS is a number"),
        Err(_) => ITERATIONS,
    }
}

/// Tries random schedules: some in which every step is made by a random thread, and some with priorities that
/// change at a few moments (PCT). The latter find errors that need few, but particular, switches.
pub fn randomly(model: fn()) {
    chance::set_exhaustive(false);
    let iterations = iterations();
    Runner::new(RandomScheduler::new(iterations), config()).run(model);
    for depth in [2, 4] {
        Runner::new(PctScheduler::new(depth, iterations / 2), config()).run(model);
    }
}

/// Tries random schedules of a model that has statics. Such models run one after the other, because shuttle
/// allows a static in only one search at a time.
pub fn alone(model: fn()) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    randomly(model);
}

/// Tries every schedule.
pub fn exhaustively(model: fn()) {
    chance::set_exhaustive(true);
    let tried = Runner::new(DfsScheduler::new(Some(MAX_SCHEDULES), false), config()).run(model);
    assert!(tried < MAX_SCHEDULES, "the model has too many schedules");
    println!("all {tried} schedules");
}
