//! Stand-in for the fork gate, which stays open because no model forks.

pub(crate) fn parked<T>(wait: impl FnOnce() -> T) -> T {
    wait()
}

#[cfg(feature = "server")]
pub(crate) fn prepare_for_forks() {}
