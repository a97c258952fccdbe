//! What is left to chance besides the schedule.

use ::std::cell::Cell;

use shuttle::rand::{Rng, thread_rng};

::std::thread_local! {
    static EXHAUSTIVE: Cell<bool> = const { Cell::new(false) };
}

/// Under an exhaustive search nothing but the schedule may vary, or it would not be one. To be called on
/// the thread that runs the search.
pub fn set_exhaustive(exhaustive: bool) {
    EXHAUSTIVE.set(exhaustive);
}

/// How many turns of all others a wait with a timeout lasts, if nobody ends it. None is the shortest: the
/// time is over when the scheduler comes back to whoever waits, which may be at any moment as it is. More
/// make long waits likely, in which all others come to rest.
pub(crate) fn patience() -> u32 {
    if EXHAUSTIVE.get() {
        return 0;
    }
    match thread_rng().gen_range(0..4) {
        0 => 0,
        1 => 3,
        2 => 20,
        _ => 100,
    }
}

/// Whether a wait comes back for nothing, as all kinds of waits may.
pub(crate) fn is_spurious() -> bool {
    !EXHAUSTIVE.get() && thread_rng().gen_range(0..16) == 0
}
