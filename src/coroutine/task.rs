//! The running coroutine.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use crate::coroutine::blocking_pool::BlockingPool;
use crate::coroutine::mailbox::Unpark;
use crate::coroutine::park::{ParkReason, Token, WaitLimit};
use crate::coroutine::scheduler::Attempt;
use crate::coroutine::switch;
use crate::coroutine::worker::{SocketWait, Worker};
use crate::sys::fd::{AsRawFd, BorrowedFd};
use crate::sys::interrupt;
use crate::sys::poll::Direction;

/// The coroutine that runs, as its own code sees it.
pub(crate) struct Task {
    worker: Rc<Worker>,
    token: Token,
    /// Number of reads and writes left before other coroutines run.
    budget: Cell<u32>,
}

impl Task {
    /// Number of reads and writes in a row. A client that always sends must not keep the worker from
    /// serving other clients.
    const BUDGET: u32 = 32;

    pub(super) fn new(worker: Rc<Worker>, token: Token) -> Self {
        Self {
            worker,
            token,
            budget: Cell::new(Self::BUDGET),
        }
    }

    /// Returns whether the coroutine may wait. It may not while it unwinds, because `std` counts panics
    /// by thread: other coroutines of the thread would seem to panic.
    pub(crate) fn can_wait() -> bool {
        !thread::panicking()
    }

    /// Counts a read or write, and lets other coroutines run if the budget is used up.
    #[inline]
    pub(crate) fn spend(&self) {
        match self.budget.get() {
            0 if Self::can_wait() => self.yield_now(),
            0 => {}
            budget => self.budget.set(budget - 1),
        }
    }

    /// Suspends until all other coroutines that are ready have run.
    pub(super) fn yield_now(&self) {
        self.worker.enqueue(self.token);
        self.suspend();
    }

    /// Returns whether an attempt to receive or send is known, or expected, to fail with `WouldBlock`.
    #[inline]
    pub(crate) fn expects_would_block(&self, fd: BorrowedFd<'_>, direction: Direction) -> bool {
        let scheduler = &mut *self.worker.scheduler();
        scheduler.expects_would_block(self.token, fd.as_raw_fd(), direction)
    }

    #[inline]
    pub(crate) fn record_attempt(
        &self,
        fd: BorrowedFd<'_>,
        direction: Direction,
        attempt: Attempt,
    ) {
        let scheduler = &mut *self.worker.scheduler();
        scheduler.record_attempt(self.token, fd.as_raw_fd(), direction, attempt);
    }

    /// Waits until the socket may be ready. Returns `false` if the time has passed.
    pub(crate) fn wait_for_socket(
        &self,
        fd: BorrowedFd<'_>,
        direction: Direction,
        limit: WaitLimit,
    ) -> io::Result<bool> {
        let wait = self.worker.prepare_socket_wait(self.token, fd, direction)?;
        let expected_end = interrupt::expect_end(fd, direction, || {
            let unpark = self.unpark();
            Box::new(move || unpark.unpark())
        });
        match wait {
            _ if expected_end.is_none() => {
                self.worker.end_socket_wait(self.token);
                Ok(true)
            }
            SocketWait::Own => {
                let in_time = self.park(ParkReason::OwnSocket(direction), limit);
                self.worker.end_socket_wait(self.token);
                Ok(in_time)
            }
            SocketWait::Foreign => self.wait_for_foreign_fd(fd, direction, limit),
            SocketWait::Retry => {
                self.suspend();
                Ok(true)
            }
        }
    }

    /// Waits for a socket that the coroutine does not own. The socket may be closed before the next
    /// wait, and its number used for another one. Therefore each wait registers it anew.
    #[cold]
    fn wait_for_foreign_fd(
        &self,
        fd: BorrowedFd<'_>,
        direction: Direction,
        limit: WaitLimit,
    ) -> io::Result<bool> {
        let raw_fd = fd.as_raw_fd();
        self.worker.watch_foreign_fd(fd, self.token, direction)?;
        let in_time = self.park(ParkReason::ForeignFd(raw_fd, direction), limit);
        // Readiness has removed it already; a timeout or a wake-up has not.
        self.worker.forget_foreign_fd(raw_fd, self.token);
        Ok(in_time)
    }

    /// Waits for an [`unpark`](Unpark::unpark). Returns `false` if `deadline` has passed. May return
    /// without either.
    pub(super) fn wait_for_wake(&self, deadline: Option<Instant>) -> bool {
        self.park(ParkReason::Wake, WaitLimit::Until(deadline))
    }

    pub(super) fn blocking_pool(&self) -> BlockingPool {
        self.worker.blocking_pool()
    }

    /// Returns the means for other threads to end a [`wait_for_wake`](Self::wait_for_wake).
    pub(super) fn unpark(&self) -> Unpark {
        Unpark {
            mailbox: self.worker.mailbox(),
            token: self.token,
        }
    }

    fn park(&self, reason: ParkReason, limit: WaitLimit) -> bool {
        self.worker.scheduler().park(self.token, reason, limit);
        self.suspend();
        let scheduler = &mut *self.worker.scheduler();
        !std::mem::take(&mut scheduler.slots.running(self.token).timed_out)
    }

    fn suspend(&self) {
        switch::suspend();
        self.budget.set(Self::BUDGET);
    }
}
