//! A worker: the coroutines of one thread.
//!
//! - **One epoll set for each worker.** A shared set would wake threads for the sockets of others, and a
//!   coroutine stays on its thread. A connection is registered once, edge-triggered, for its life: no system
//!   call re-arms or removes it. The set reports when there is more to read or room to write; the worker
//!   remembers in between that an attempt would fail (`OwnSocket`). Readiness to send is requested only
//!   after a send has found no room.
//! - **A forked child does not disturb the set.** Loops that fork use no set, and a child runs no worker.
//!   But a child holds copies of sockets, so an event may come for a connection that the parent has closed.
//!   It is reported once, because it is an edge, under a [`Token`] that is no longer valid.
//! - **The listener is registered by level, without `EPOLLEXCLUSIVE`.** That flag wakes one worker only,
//!   which may be stalled by a handler, or be full, before it has accepted all waiting connections.
//! - **A new connection is read speculatively**, at once and again after the other ready coroutines, before
//!   it is registered. A connection that sends one request and leaves needs no registration then. After
//!   failures, such attempts are made less often ([`ProbeBackoff`](crate::probe_backoff::ProbeBackoff)).
//! - **A finite timeout of `epoll_wait` costs a timer**, 10 % of the processor time of short connections.
//!   So none is set while no connection of the process has a timeout.
//! - **Not done**: leaving out the `shutdown(2)` before the close where the client has closed its side
//!   already. It would save one of five system calls and about 1 % of the processor time of a short
//!   connection, but is right only if no copy of the socket exists anywhere.

mod accept_wait;
mod event_loop;
mod socket_wait;

use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::accept_wait::{AcceptEvents, AcceptFds};
pub(super) use self::socket_wait::SocketWait;

use self::accept_wait::AcceptInterest;
use crate::coroutine::blocking_pool::BlockingPool;
use crate::coroutine::foreign_fds::ForeignFds;
use crate::coroutine::mailbox::Mailbox;
use crate::coroutine::park::Token;
use crate::coroutine::scheduler::Scheduler;
use crate::coroutine::switch::{self, Coroutine, Stack};
use crate::coroutine::task::Task;
use crate::panics::catch_panic;
use crate::reentrancy;
use crate::sys::fd::{AsFd, RawFd};
use crate::sys::poller::{Poller, Watch};

/// Keys of the descriptors in a worker's poller that are not sockets of coroutines. No
/// [`Token::key`] has these values.
mod key {
    pub(super) const WAKER: u64 = u64::MAX;
    pub(super) const MAILBOX: u64 = u64::MAX - 1;
    pub(super) const FOREIGN_FDS: u64 = u64::MAX - 2;
    /// Key of the first listener. Those of the others follow downwards.
    const LISTENER: u64 = u64::MAX - 3;
    /// More listeners than a process has descriptors.
    const MAX_LISTENERS: u64 = 1 << 31;
    pub(super) const LAST_LISTENER: u64 = LISTENER - MAX_LISTENERS;

    /// The keys of listeners.
    pub(super) fn listeners() -> impl Iterator<Item = u64> {
        (0..MAX_LISTENERS).map(|number| LISTENER - number)
    }
}

/// Runs the coroutines of one thread, each until it waits.
pub(crate) struct Worker {
    scheduler: RefCell<Scheduler>,
    poller: Poller,
    foreign_fds: RefCell<ForeignFds>,
    mailbox: Arc<Mailbox>,
    blocking_pool: BlockingPool,
    /// The time at which the clock was last read.
    now: Cell<Instant>,
    stack_size: usize,
    /// Called with the time for which coroutines have blocked the worker.
    on_stall: Box<dyn Fn(Duration)>,
    accept_interest: Cell<AcceptInterest>,
    /// Number of requests in a row that were reported without a look at the listener.
    speculative_accepts: Cell<u32>,
}

impl Worker {
    /// Coroutines that run for longer than this without waiting have blocked the worker.
    pub(crate) const STALL: Duration = Duration::from_millis(10);
    /// Number of coroutines that run between two reads of the clock, because a read costs as much as a
    /// switch. By reading and writing alone, this number of coroutines cannot run for
    /// [`STALL`](Self::STALL).
    const RUNS_PER_CLOCK_READ: usize = 8;
    const MAX_SPARE_STACKS: usize = 256;

    /// Makes a worker of the current thread. `on_stall` is called when coroutines have run for longer
    /// than [`STALL`](Self::STALL) without waiting.
    pub(crate) fn new(
        stack_size: usize,
        blocking_pool: BlockingPool,
        on_stall: impl Fn(Duration) + 'static,
    ) -> io::Result<Rc<Self>> {
        switch::check_available()?;
        let worker = Self {
            scheduler: RefCell::default(),
            poller: Poller::new()?,
            foreign_fds: RefCell::default(),
            mailbox: Arc::new(Mailbox::new()?),
            blocking_pool,
            now: Cell::new(Instant::now()),
            stack_size,
            on_stall: Box::new(on_stall),
            accept_interest: Cell::new(AcceptInterest::Nothing),
            speculative_accepts: Cell::new(0),
        };
        let mailbox = worker.mailbox.as_fd();
        worker.poller.add(mailbox, key::MAILBOX, Watch::Level)?;
        Ok(Rc::new(worker))
    }

    pub(crate) fn mailbox(&self) -> Arc<Mailbox> {
        Arc::clone(&self.mailbox)
    }

    pub(super) fn blocking_pool(&self) -> BlockingPool {
        self.blocking_pool.clone()
    }

    /// Number of coroutines.
    pub(crate) fn live(&self) -> usize {
        self.scheduler().slots.live()
    }

    /// Number of coroutines, including those that other workers are sending.
    pub(crate) fn load(&self) -> usize {
        self.mailbox.load()
    }

    pub(super) fn scheduler(&self) -> RefMut<'_, Scheduler> {
        self.scheduler.borrow_mut()
    }

    /// Returns a stack for [`start`](Self::start).
    pub(crate) fn take_stack(&self) -> io::Result<Stack> {
        let spare = self.scheduler().spare_stacks.pop();
        spare.map_or_else(|| Stack::new(self.stack_size), Ok)
    }

    /// Starts `work` as a coroutine, which owns the socket `own_fd` until it ends, and runs it until it
    /// waits.
    pub(crate) fn start(
        self: &Rc<Self>,
        stack: Stack,
        own_fd: Option<RawFd>,
        work: impl FnOnce() + 'static,
    ) {
        let token = {
            let scheduler = &mut *self.scheduler();
            let token = scheduler.slots.insert(own_fd);
            let task = Task::new(Rc::clone(self), token);
            // A panic would otherwise end the thread.
            let work = move || drop(catch_panic(work));
            let coroutine = Coroutine::new(stack, task, work);
            scheduler.slots.running(token).coroutine = Some(coroutine);
            self.mailbox.set_live(scheduler.slots.live());
            token
        };
        self.resume(token);
        self.read_clock();
    }

    /// Runs a coroutine until it waits or ends.
    fn resume(&self, token: Token) {
        debug_assert!(!switch::is_coroutine(), "coroutines cannot be nested");
        let (coroutine, mut roles) = {
            let mut scheduler = self.scheduler();
            let Some(slot) = scheduler.slots.get(token) else {
                return;
            };
            let Some(coroutine) = slot.coroutine.take() else {
                return;
            };
            (coroutine, std::mem::take(&mut slot.roles))
        };
        reentrancy::exchange(&mut roles);
        let resumed = coroutine.resume();
        reentrancy::exchange(&mut roles);
        let scheduler = &mut *self.scheduler();
        match resumed {
            Ok(suspended) => {
                let slot = scheduler.slots.running(token);
                slot.coroutine = Some(suspended);
                slot.roles = roles;
            }
            Err(stack) => {
                scheduler.slots.remove(token);
                if scheduler.spare_stacks.len() < Self::MAX_SPARE_STACKS {
                    scheduler.spare_stacks.push(stack);
                }
                self.mailbox.set_live(scheduler.slots.live());
            }
        }
    }

    /// Makes a coroutine ready to run.
    pub(super) fn enqueue(&self, token: Token) {
        self.scheduler().ready.push_back(token);
    }

    /// Runs the coroutines that are ready now, each once.
    fn run_ready(&self) {
        let count = self.scheduler().ready.len();
        for run in 1..=count {
            let Some(token) = self.scheduler().ready.pop_front() else {
                break;
            };
            self.resume(token);
            if run.is_multiple_of(Self::RUNS_PER_CLOCK_READ) {
                self.read_clock();
            }
        }
        if !count.is_multiple_of(Self::RUNS_PER_CLOCK_READ) {
            self.read_clock();
        }
    }

    /// Reads the clock, and reports a stall if coroutines have run for too long since the last read.
    fn read_clock(&self) {
        let now = Instant::now();
        let ran = now.saturating_duration_since(self.now.replace(now));
        self.scheduler().date_new_waits(now);
        if ran > Self::STALL {
            (self.on_stall)(ran);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        debug_assert_eq!(self.live(), 0, "the worker still has coroutines");
    }
}
