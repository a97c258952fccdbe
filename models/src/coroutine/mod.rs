//! In the place of the crate's coroutines: a thread that waits in their way.

mod mailbox;
mod switch;
mod task;
#[allow(dead_code)]
#[path = "../../../../src/sys/coroutine/waiter.rs"]
mod waiter;

pub(crate) use self::switch::{as_coroutine, is_coroutine};
pub(crate) use self::waiter::Waiter;
