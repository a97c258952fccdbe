//! Stand-in for the crate's coroutines: threads that wait as coroutines do. The waits for other threads and
//! coroutines are the real sources.

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
