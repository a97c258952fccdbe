//! Console events of a server: which one requests a stop, and which one ends the process.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sys::signal_order::SignalOrder;

/// Time of the first event, see [`now`]. 0: none.
static FIRST_AT: AtomicU64 = AtomicU64::new(0);

/// Records an event that happens now, and returns its place.
pub(crate) fn record_signal() -> SignalOrder {
    SignalOrder::record(&FIRST_AT, now())
}

/// Makes the next event the first one.
pub(crate) fn expect_first() {
    FIRST_AT.store(0, Ordering::SeqCst);
}

/// Time in nanoseconds since the first call, and never 0.
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let elapsed = START.elapsed() + Duration::from_nanos(1);
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}
