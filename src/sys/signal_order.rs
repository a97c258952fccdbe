//! Order of termination signals, or of the console events of Windows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Time after the first signal in which further ones are repetitions of it, not a second one. Programs that
/// start others pass Ctrl-C on, in addition to the terminal, and `timeout` signals first the program and
/// then its process group. People do not press Ctrl-C twice so fast.
const REPETITION: Duration = Duration::from_millis(100);

/// Place of a termination signal among those that this process has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalOrder {
    First,
    /// Repetition of the first one.
    Repeated,
    Second,
}

impl SignalOrder {
    /// Records a signal at a time, and returns its place. Async-signal-safe.
    pub(super) fn record(first_at: &AtomicU64, now: u64) -> Self {
        match first_at.compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => Self::First,
            Err(first_at) if Duration::from_nanos(now.saturating_sub(first_at)) < REPETITION => {
                Self::Repeated
            }
            Err(_) => Self::Second,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_signal_comes_after_the_time_for_repetitions() {
        let first_at = AtomicU64::new(0);
        let order = |millis| {
            SignalOrder::record(&first_at, Duration::from_millis(millis).as_nanos() as u64)
        };
        assert_eq!(order(5000), SignalOrder::First);
        assert_eq!(order(5000), SignalOrder::Repeated);
        assert_eq!(order(5099), SignalOrder::Repeated);
        assert_eq!(order(5100), SignalOrder::Second);
        first_at.store(0, Ordering::SeqCst);
        assert_eq!(order(5100), SignalOrder::First);
    }
}
