//! Waiting for another thread.

use std::time::Instant;

use parking_lot::{Condvar, MutexGuard};

use super::parked::parked;

/// Waits for `changed` until `condition` no longer holds (`true`), or until `deadline` is over
/// (`false`). `None` waits without limit.
pub(crate) fn wait_while<T>(
    changed: &Condvar,
    state: &mut MutexGuard<'_, T>,
    deadline: Option<Instant>,
    condition: impl Fn(&T) -> bool,
) -> bool {
    if !condition(state) {
        return true;
    }
    parked(|| {
        let mut in_time = true;
        while condition(state) && in_time {
            match deadline {
                Some(deadline) => in_time = !changed.wait_until(state, deadline).timed_out(),
                None => changed.wait(state),
            }
        }
    });
    !condition(state)
}
