//! Texts of the errors of requests, for `TestServer`.

use std::sync::{Mutex, OnceLock, PoisonError};

/// Collects the texts of the first errors of requests once it is enabled. A server outside tests has it disabled, and only
/// requests that fail read it.
#[derive(Debug, Default)]
pub(crate) struct FailureLog(OnceLock<Mutex<Vec<String>>>);

impl FailureLog {
    const MOST: usize = 20;

    pub(crate) fn enable(&self) {
        self.0.get_or_init(Mutex::default);
    }

    /// Adds an error, if the log is enabled.
    pub(crate) fn add(&self, error: impl FnOnce() -> String) {
        let Some(texts) = self.0.get() else { return };
        let text = error();
        let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() < Self::MOST {
            texts.push(text);
        }
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.0.get().map(|texts| {
            let texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
            texts.clone()
        });
        texts.unwrap_or_default()
    }
}
