//! Console events of a server: which one requests a stop, and which one ends the process.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Time after the first event in which further ones are repetitions of it, not a second one. People do not press
/// Ctrl-C twice so fast.
const REPETITION: Duration = Duration::from_millis(100);

static FIRST_AT: Mutex<Option<Instant>> = Mutex::new(None);

/// Order of a console event among those that this process has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    First,
    /// Repetition of the first one.
    Repeated,
    Second,
}

impl Arrival {
    /// Records the arrival of an event now, and returns its order.
    pub(crate) fn now() -> Self {
        let mut first_at = FIRST_AT.lock().unwrap_or_else(PoisonError::into_inner);
        match *first_at {
            None => {
                *first_at = Some(Instant::now());
                Self::First
            }
            Some(first_at) if first_at.elapsed() < REPETITION => Self::Repeated,
            Some(_) => Self::Second,
        }
    }
}

/// Makes the next event the first one.
pub(crate) fn expect_first() {
    *FIRST_AT.lock().unwrap_or_else(PoisonError::into_inner) = None;
}
