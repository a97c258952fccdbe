//! Random choices besides the schedule.

use ::std::cell::Cell;

use shuttle::rand::{Rng, thread_rng};

::std::thread_local! {
    static EXHAUSTIVE: Cell<bool> = const { Cell::new(false) };
}

/// Turns the random choices off, because an exhaustive search may vary only the schedule. Must be called on
/// the thread that runs the search.
pub fn set_exhaustive(exhaustive: bool) {
    EXHAUSTIVE.set(exhaustive);
}

/// Returns how many times a wait with a timeout yields to other threads before it expires. With 0, it expires
/// when the scheduler runs its thread next, which may be at any moment. With large numbers, all other threads
/// probably have to wait by then.
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

/// Returns whether a wait returns without a reason, as all kinds of waits may.
pub(crate) fn is_spurious() -> bool {
    !EXHAUSTIVE.get() && thread_rng().gen_range(0..16) == 0
}
