//! What the code of a coroutine can ask of its worker.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use crate::coroutine::blocking_pool::BlockingPool;
use crate::coroutine::mailbox::Unpark;
use crate::coroutine::slots::{ParkReason, Token};
use crate::coroutine::switch;
use crate::coroutine::worker::{Prepared, Worker};
use crate::sys::poll::Direction;

/// The coroutine that runs, as its own code sees it.
pub(crate) struct Task {
    worker: Rc<Worker>,
    token: Token,
    /// How many more reads and writes it may do before others have their turn.
    budget: Cell<u32>,
}

/// How long a wait for a socket may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// As long as the socket's own timeout says.
    OfSocket,
    /// Until then, or without limit.
    Until(Option<Instant>),
}

impl Task {
    /// A client that always sends must not keep those of others from being served.
    const BUDGET: u32 = 32;

    pub(super) fn new(worker: Rc<Worker>, token: Token) -> Self {
        Self {
            worker,
            token,
            budget: Cell::new(Self::BUDGET),
        }
    }

    /// Whether it may wait. Not while it unwinds: that a thread is panicking is known of the thread, and
    /// other coroutines would take it for theirs.
    pub(crate) fn can_wait() -> bool {
        !thread::panicking()
    }

    /// Counts a read or write, and lets others have their turn if it has had enough.
    #[inline]
    pub(crate) fn spend(&self) {
        match self.budget.get() {
            0 if Self::can_wait() => self.yield_now(),
            0 => {}
            budget => self.budget.set(budget - 1),
        }
    }

    /// Goes on when all others that can go on have had their turn.
    pub(super) fn yield_now(&self) {
        self.worker.enqueue(self.token);
        self.suspend();
    }

    /// Whether an attempt to receive or send is known, or likely enough, to be in vain.
    #[inline]
    pub(crate) fn is_exhausted(&self, fd: BorrowedFd<'_>, direction: Direction) -> bool {
        let state = &mut *self.worker.state();
        state.is_exhausted(self.token, fd.as_raw_fd(), direction)
    }

    /// Notes how an attempt to receive or send went: whether bytes were `moved`, and whether there are no
    /// more now, or is no room for more.
    #[inline]
    pub(crate) fn note(&self, fd: BorrowedFd<'_>, direction: Direction, moved: bool, last: bool) {
        let state = &mut *self.worker.state();
        state.note_attempt(self.token, fd.as_raw_fd(), direction, moved, last);
    }

    /// Waits until the socket may be ready. `false` if the time for that is over.
    pub(crate) fn wait_for(
        &self,
        fd: BorrowedFd<'_>,
        direction: Direction,
        limit: Limit,
    ) -> io::Result<bool> {
        match self.worker.prepare_wait(self.token, fd, direction)? {
            Prepared::Foreign => self.wait_for_other(fd, direction, limit),
            Prepared::Own => Ok(self.park(ParkReason::Own(direction), limit)),
            Prepared::Delayed => {
                self.suspend();
                Ok(true)
            }
        }
    }

    /// The same for a socket that this coroutine does not own, which may be closed, and its number be
    /// that of another one, before the next time.
    #[cold]
    fn wait_for_other(
        &self,
        fd: BorrowedFd<'_>,
        direction: Direction,
        limit: Limit,
    ) -> io::Result<bool> {
        let raw = fd.as_raw_fd();
        self.worker.watch_other(fd, self.token, direction)?;
        let in_time = self.park(ParkReason::Foreign(raw, direction), limit);
        // Whatever has ended the wait.
        self.worker.forget_other(raw, self.token);
        Ok(in_time)
    }

    /// Waits until somebody calls, or until `deadline`: `false` then. It may come back for nothing.
    pub(super) fn wait_for_call(&self, deadline: Option<Instant>) -> bool {
        self.park(ParkReason::Call, Limit::Until(deadline))
    }

    /// The threads for what would hold up the worker.
    pub(super) fn blocking_pool(&self) -> BlockingPool {
        self.worker.blocking_pool()
    }

    /// What ends such a wait.
    pub(super) fn unpark(&self) -> Unpark {
        Unpark {
            mailbox: self.worker.mailbox(),
            token: self.token,
        }
    }

    fn park(&self, wait: ParkReason, limit: Limit) -> bool {
        self.worker.park(self.token, wait, limit);
        self.suspend();
        !std::mem::take(&mut self.worker.state().slots.own(self.token).timed_out)
    }

    fn suspend(&self) {
        switch::suspend();
        self.budget.set(Self::BUDGET);
    }
}
