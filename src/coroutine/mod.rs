//! Coroutines: handlers that wait without a thread of their own.
//!
//! A [`Worker`] is what a thread needs to run them. Each runs until its code has to wait; then the stack
//! is switched ([`switch`]) and another one goes on. The code that waits does not know: its read or
//! write comes to [`stream_io`](super::stream) as under every other strategy, and there a thread-local
//! tells whether a coroutine runs ([`with_current`]).
//!
//! | module | what it does |
//! | --- | --- |
//! | [`switch`] | switches stacks, and says why that is sound |
//! | [`task`] | what the code of a coroutine asks of its worker |
//! | [`worker`] | who runs when |
//! | [`state`] | who can go on, who waits for what, and until when |
//! | [`slots`] | the coroutines of a worker, and what each waits for |
//! | [`foreign_fds`] | who waits for sockets of somebody else |
//! | [`timers`] | whose time is over |
//! | [`mailbox`] | how other threads reach a worker |
//! | [`waiter`] | waits of a coroutine, or of a thread, for somebody else |
//! | [`blocking_pool`] | threads for what would hold up a worker |

// One of the two modules with unsafe code; `sys` is the other.
#![allow(unsafe_code)]

mod blocking_pool;
pub(crate) mod fair_mutex;
mod foreign_fds;
mod mailbox;
pub(crate) mod monitor;
mod slots;
mod state;
pub(crate) mod stream_io;
mod switch;
mod task;
mod timers;
mod waiter;
mod worker;

pub use self::blocking_pool::blocking;
pub use self::waiter::sleep;

pub(crate) use self::blocking_pool::BlockingPool;
pub(crate) use self::mailbox::Mailbox;
pub(crate) use self::switch::{is_coroutine, with_current};
pub(crate) use self::task::{Limit, Task};
pub(crate) use self::waiter::Waiter;
pub(crate) use self::worker::{AcceptFds, Worker};
