//! Forks do not occur in the models.

pub(crate) fn parked<T>(wait: impl FnOnce() -> T) -> T {
    wait()
}

#[cfg(feature = "server")]
pub(crate) fn prepare_for_forks() {}
