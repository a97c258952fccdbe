//! Nobody forks here, so that nobody needs to know who is parked.

pub(crate) fn parked<T>(wait: impl FnOnce() -> T) -> T {
    wait()
}

#[cfg(feature = "core")]
pub(crate) fn prepare_for_forks() {}
