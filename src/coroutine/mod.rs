//! Coroutines: handlers that wait without occupying a thread.
//!
//! A [`Worker`] runs coroutines on one thread. Each coroutine runs until its code has to wait. Then the
//! worker [switches](switch) to the stack of another one. The code of a coroutine does not change for
//! this: its reads and writes pass through [`stream_io`], as under every other strategy, and a
//! thread-local tells there whether a coroutine runs ([`with_current`]).
//!
//! | module | contents |
//! | --- | --- |
//! | [`worker`] | the worker: runs its coroutines and its event loop, waits for requests |
//! | [`scheduler`] | the schedule: which coroutines are ready, which wait, for what and until when |
//! | [`slots`], [`own_socket`], [`park`] | one coroutine; its connection; its identity and what it waits for |
//! | [`timers`] | the ends of waits |
//! | [`foreign_fds`] | waits for sockets that the waiting coroutine does not own |
//! | [`mailbox`] | access to a worker from other threads |
//! | [`switch`] | switches between stacks, and the reasons why this is sound |
//! | [`task`] | the running coroutine, as its own code sees it |
//! | [`stream_io`] | reads and writes of connections |
//! | [`waiter`] | waits for other threads and coroutines; [`sleep`] |
//! | [`monitor`], [`fair_mutex`] | a value to wait for; a lock that may be held during a wait |
//! | [`blocking_pool`] | threads for blocking calls; [`blocking`] |

// One of the two modules with unsafe code; `sys` is the other.
#![allow(unsafe_code)]

mod blocking_pool;
pub(crate) mod fair_mutex;
mod foreign_fds;
mod mailbox;
pub(crate) mod monitor;
mod own_socket;
mod park;
mod scheduler;
mod slots;
pub(crate) mod stream_io;
#[cfg_attr(not(coroutines), path = "no_switch.rs")]
mod switch;
mod task;
mod timers;
mod waiter;
mod worker;

pub use self::blocking_pool::blocking;
pub use self::waiter::sleep;

pub(crate) use self::blocking_pool::BlockingPool;
pub(crate) use self::mailbox::Mailbox;
pub(crate) use self::park::WaitLimit;
pub(crate) use self::scheduler::Attempt;
pub(crate) use self::switch::{is_coroutine, with_current};
pub(crate) use self::task::Task;
pub(crate) use self::waiter::Waiter;
pub(crate) use self::worker::{AcceptFds, Worker};
