//! Stand-in for the switches between coroutines: records which threads count as coroutines.

use std::cell::Cell;

use super::task::Task;

thread_local! {
    static IS_COROUTINE: Cell<bool> = Cell::new(false);
}

/// Runs `work` as a coroutine.
pub(crate) fn as_coroutine<T>(work: impl FnOnce() -> T) -> T {
    IS_COROUTINE.with(|is_coroutine| is_coroutine.set(true));
    let result = work();
    IS_COROUTINE.with(|is_coroutine| is_coroutine.set(false));
    result
}

pub(crate) fn is_coroutine() -> bool {
    IS_COROUTINE.with(Cell::get)
}

pub(crate) fn with_current<T>(act: impl FnOnce(&Task) -> T) -> Option<T> {
    is_coroutine().then(|| act(&Task))
}
