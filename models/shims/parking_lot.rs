//! The part of `parking_lot` that the sources under test use, over the locks of the model checker.

pub use model_std::sync::MutexGuard;
use model_std::sync::{self, PoisonError};

/// A mutex that a panic does not poison.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
