//! Random choices besides the schedule.

use ::std::cell::Cell;

use shuttle::rand::{Rng, thread_rng};

::std::thread_local! {
    static EXHAUSTIVE: Cell<bool> = const { Cell::new(false) };
}

/// Turns random choices off, because in an exhaustive search only the schedule may vary. Must be called on the
/// thread that runs the search.
pub fn set_exhaustive(exhaustive: bool) {
    EXHAUSTIVE.set(exhaustive);
}

/// Returns how often a wait with a timeout lets all other threads run before it times out. Zero is the
/// shortest: the wait times out when the scheduler returns to it, which may be at any moment. Higher numbers
/// make long waits likely, during which all other threads come to rest.
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

/// Returns whether a wait ends spuriously, as waits may.
pub(crate) fn is_spurious() -> bool {
    !EXHAUSTIVE.get() && thread_rng().gen_range(0..16) == 0
}
