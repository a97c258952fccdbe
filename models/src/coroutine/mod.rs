//! The real locks and waits of coroutines, over a stand-in for the coroutines: a thread that counts as a
//! coroutine while it runs [`as_coroutine`].

#[allow(dead_code)]
#[path = "../../../src/coroutine/fair_mutex.rs"]
pub(crate) mod fair_mutex;
mod mailbox;
#[allow(dead_code)]
#[path = "../../../src/coroutine/monitor.rs"]
pub(crate) mod monitor;
mod switch;
mod task;
#[allow(dead_code)]
#[path = "../../../src/coroutine/waiter.rs"]
mod waiter;

pub(crate) use self::switch::{as_coroutine, is_coroutine};
pub(crate) use self::waiter::Waiter;

/// Runs a blocking call on this thread.
#[cfg(feature = "server")]
pub(crate) fn blocking<T>(call: impl FnOnce() -> T) -> T {
    call()
}
