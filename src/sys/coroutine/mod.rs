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
//! | [`outsiders`] | who waits for sockets of somebody else |
//! | [`poller`] | which sockets are ready |
//! | [`timers`] | whose time is over |
//! | [`guess`] | whether to try something that may be in vain |
//! | [`mailbox`] | how other threads reach a worker |
//! | [`waiter`] | waits of a coroutine, or of a thread, for somebody else |
//! | [`offload`] | threads for what would hold up a worker |

mod guess;
mod mailbox;
mod offload;
mod outsiders;
mod poller;
mod slots;
mod state;
mod switch;
mod task;
mod timers;
mod waiter;
mod worker;

pub(crate) use self::mailbox::Mailbox;
pub(crate) use self::offload::{Offload, blocking};
pub(crate) use self::poller::Direction;
pub(crate) use self::switch::{is_coroutine, with_current};
pub(crate) use self::task::{Limit, Task};
pub(crate) use self::waiter::{Waiter, sleep};
pub(crate) use self::worker::{Door, Worker};
