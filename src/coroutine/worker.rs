//! A thread that runs coroutines, each until it waits for something.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::coroutine::blocking_pool::BlockingPool;
use crate::coroutine::foreign_fds::ForeignFds;
use crate::coroutine::mailbox::{Mailbox, Message};
use crate::coroutine::slots::{First, ParkReason, Token};
use crate::coroutine::state::State;
use crate::coroutine::switch::{self, Coroutine, Stack};
use crate::coroutine::task::{Limit, Task};
use crate::coroutine::timers::Begun;
use crate::panics::catch_panic;
use crate::reentrancy;
use crate::sys::fork_gate::parked;
use crate::sys::poll::Direction;
use crate::sys::poller::{Poller, Watch};
use crate::sys::socket::may_have_timeouts;

/// What the poller knows the descriptors under that are not a coroutine's.
const REQUESTS: u64 = u64::MAX;
const WAKER: u64 = u64::MAX - 1;
const MAIL: u64 = u64::MAX - 2;
const OTHERS: u64 = u64::MAX - 3;

/// The coroutines of a thread, and what they wait for.
pub(crate) struct Worker {
    state: RefCell<State>,
    poller: Poller,
    /// For sockets that are not a coroutine's own: a set of its own, because a socket can be in a set
    /// only once.
    others: OnceCell<Poller>,
    foreign_fds: RefCell<ForeignFds>,
    mailbox: Arc<Mailbox>,
    blocking_pool: BlockingPool,
    /// The time, as of the last look at the clock.
    now: Cell<Instant>,
    stack_size: usize,
    /// Told how long coroutines have run without waiting, if that was long.
    held: Box<dyn Fn(Duration)>,
    accept_interest: Cell<AcceptInterest>,
    /// How many requests in a row were reported on a guess.
    guessed: Cell<u32>,
}

/// What was made of a wait for a socket.
pub(super) enum Prepared {
    /// The poller knows the coroutine's own socket.
    Own,
    /// It is not the coroutine's own.
    Foreign,
    /// It is too early to wait: first, others have their turn.
    Delayed,
}

/// What a worker looks after besides its coroutines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptInterest {
    Nothing,
    Waker,
    Requests,
}

/// The descriptors of an accept loop.
#[derive(Clone, Copy)]
pub(crate) struct AcceptFds<'a> {
    /// Readable when a request is there.
    pub(crate) listener: BorrowedFd<'a>,
    /// Readable when the loop is wanted.
    pub(crate) waker: BorrowedFd<'a>,
}

/// What a worker has found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) request: bool,
    pub(crate) woken: bool,
}

impl Worker {
    /// A coroutine that has run for longer than this without waiting has held up the others.
    pub(crate) const STALL: Duration = Duration::from_millis(10);
    /// How many requests are taken in, at most, before coroutines that can go on do.
    const GUESSES: u32 = 16;
    /// After how many coroutines there is a look at the clock, which costs as much as a switch. As many
    /// cannot run for [`STALL`](Self::STALL) by reading and writing alone.
    const CLOCK: usize = 8;
    /// How many stacks are kept for coroutines to come.
    const SPARE_STACKS: usize = 256;

    /// The worker of this thread. `held` is told when coroutines have run for longer than
    /// [`STALL`](Self::STALL) without coming back.
    pub(crate) fn new(
        stack_size: usize,
        blocking_pool: BlockingPool,
        held: impl Fn(Duration) + 'static,
    ) -> io::Result<Rc<Self>> {
        let worker = Self {
            state: RefCell::default(),
            poller: Poller::new()?,
            others: OnceCell::new(),
            foreign_fds: RefCell::default(),
            mailbox: Arc::new(Mailbox::new()?),
            blocking_pool,
            now: Cell::new(Instant::now()),
            stack_size,
            held: Box::new(held),
            accept_interest: Cell::new(AcceptInterest::Nothing),
            guessed: Cell::new(0),
        };
        let mail = worker.mailbox.as_fd();
        worker.poller.add(mail, MAIL, Watch::Level)?;
        Ok(Rc::new(worker))
    }

    pub(crate) fn mailbox(&self) -> Arc<Mailbox> {
        Arc::clone(&self.mailbox)
    }

    pub(super) fn blocking_pool(&self) -> BlockingPool {
        self.blocking_pool.clone()
    }

    /// How many coroutines it has.
    pub(crate) fn live(&self) -> usize {
        self.state().slots.live()
    }

    /// The same, and how many more it was reserved.
    pub(crate) fn load(&self) -> usize {
        self.mailbox.live()
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    // ---- coroutines ----

    /// The stack for a [`start`](Self::start).
    pub(crate) fn take_stack(&self) -> io::Result<Stack> {
        let spare = self.state().stacks.pop();
        spare.map_or_else(|| Stack::new(self.stack_size), Ok)
    }

    /// Begins `work` as a coroutine, which owns the socket `own` until it ends, and runs it until it
    /// waits for something.
    pub(crate) fn start(
        self: &Rc<Self>,
        stack: Stack,
        own: Option<RawFd>,
        work: impl FnOnce() + 'static,
    ) {
        let token = {
            let state = &mut *self.state();
            let token = state.slots.insert(own);
            let task = Task::new(Rc::clone(self), token);
            // A panic that got as far as that would end the thread.
            let work = move || drop(catch_panic(work));
            let coroutine = Coroutine::new(stack, task, work);
            state.slots.own(token).coroutine = Some(coroutine);
            self.mailbox.set_live(state.slots.live());
            token
        };
        self.resume(token);
        self.look_at_clock();
    }

    /// Runs a coroutine until it waits for something or ends.
    fn resume(&self, token: Token) {
        debug_assert!(!switch::is_coroutine(), "one coroutine runs at a time");
        let (coroutine, mut roles) = {
            let mut state = self.state();
            let Some(slot) = state.slots.get(token) else {
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
        {
            let state = &mut *self.state();
            match resumed {
                Ok(suspended) => {
                    let slot = state.slots.own(token);
                    slot.coroutine = Some(suspended);
                    slot.roles = roles;
                }
                Err(stack) => {
                    state.slots.remove(token);
                    if state.stacks.len() < Self::SPARE_STACKS {
                        state.stacks.push(stack);
                    }
                    self.mailbox.set_live(state.slots.live());
                }
            }
        }
    }

    /// Looks at the clock: how long have coroutines run since the last time?
    fn look_at_clock(&self) {
        let (before, now) = (self.now.get(), Instant::now());
        self.now.set(now);
        {
            let state = &mut *self.state();
            for (token, number) in state.begun.drain(..) {
                let since = now;
                state.short_waits.add(Begun {
                    token,
                    number,
                    since,
                });
            }
        }
        let ran = now.saturating_duration_since(before);
        if ran > Self::STALL {
            (self.held)(ran);
        }
    }

    /// Puts a coroutine into the line of those that can go on.
    pub(super) fn enqueue(&self, token: Token) {
        self.state().ready.push_back(token);
    }

    /// Notes what the running coroutine is going to wait for.
    pub(super) fn park(&self, token: Token, wait: ParkReason, limit: Limit) {
        let state = &mut *self.state();
        let slot = state.slots.own(token);
        slot.wait = wait;
        slot.waits = slot.waits.wrapping_add(1);
        slot.timed_out = false;
        slot.deadline = None;
        // Where no connection has a timeout, there is nothing to look up, and no timer to be set.
        let may_time_out = match wait {
            ParkReason::Own(_) => may_have_timeouts(),
            ParkReason::Foreign(..) => true,
            ParkReason::Call | ParkReason::Nothing => false,
        };
        match limit {
            Limit::OfSocket if may_time_out => state.begun.push((token, slot.waits)),
            Limit::Until(Some(deadline)) => state.set_deadline(token, deadline),
            _ => {}
        }
    }

    /// Runs those that can go on now, each once.
    fn run_ready(&self) {
        let count = self.state().ready.len();
        for turn in 1..=count {
            let Some(token) = self.state().ready.pop_front() else {
                break;
            };
            self.resume(token);
            if turn.is_multiple_of(Self::CLOCK) {
                self.look_at_clock();
            }
        }
        if !count.is_multiple_of(Self::CLOCK) {
            self.look_at_clock();
        }
    }

    // ---- sockets ----

    /// Sees to it that a coroutine which is going to wait for a socket will go on.
    pub(super) fn prepare_wait(
        &self,
        token: Token,
        fd: BorrowedFd<'_>,
        direction: Direction,
    ) -> io::Result<Prepared> {
        let state = &mut *self.state();
        let socket = &mut state.slots.own(token).socket;
        if socket.fd != Some(fd.as_raw_fd()) {
            return Ok(Prepared::Foreign);
        }
        if direction == Direction::Receive && socket.first != First::Over {
            // Its client has just connected. What it sends may be there once the others have had their
            // turn.
            socket.first = First::Over;
            if state.later.should_try() {
                socket.first = First::Delayed;
                socket.drained = false;
                state.delayed.push(token);
                return Ok(Prepared::Delayed);
            }
        }
        let writable = direction == Direction::Send || socket.registered_to_send;
        let watch = Watch::Edge { writable };
        if !socket.registered {
            self.poller.add(fd, token.key(), watch)?;
        } else if writable != socket.registered_to_send {
            self.poller.change(fd, token.key(), watch)?;
        }
        socket.registered = true;
        socket.registered_to_send = writable;
        Ok(Prepared::Own)
    }

    /// Has a coroutine told once when a socket is ready that it does not own.
    pub(super) fn watch_other(
        &self,
        fd: BorrowedFd<'_>,
        token: Token,
        direction: Direction,
    ) -> io::Result<()> {
        let others = match self.others.get() {
            Some(others) => others,
            None => {
                let others = Poller::new()?;
                self.poller.add(others.as_fd(), OTHERS, Watch::Level)?;
                self.others.get_or_init(|| others)
            }
        };
        let raw = fd.as_raw_fd();
        let mut foreign_fds = self.foreign_fds.borrow_mut();
        let wanted = |wanted| direction == wanted || foreign_fds.wait_for(raw, wanted);
        let watch = Watch::Once {
            readable: wanted(Direction::Receive),
            writable: wanted(Direction::Send),
        };
        others.set(fd, raw as u64, watch)?;
        foreign_fds.add(raw, token, direction);
        Ok(())
    }

    pub(super) fn forget_other(&self, fd: RawFd, token: Token) {
        self.foreign_fds.borrow_mut().remove(fd, token);
    }

    // ---- the thread ----

    /// Runs coroutines until a request is there (if requests are wanted), the loop is woken or the time
    /// is over. `likely`: a request may well be there, so that trying costs less than asking.
    pub(crate) fn wait(
        &self,
        accept_fds: AcceptFds<'_>,
        requests: bool,
        likely: bool,
        timeout: Option<Duration>,
    ) -> io::Result<Found> {
        if likely && requests && self.guessed.get() < Self::GUESSES {
            self.guessed.set(self.guessed.get() + 1);
            return Ok(Found {
                request: true,
                woken: false,
            });
        }
        self.guessed.set(0);
        let wanted = if requests {
            AcceptInterest::Requests
        } else {
            AcceptInterest::Waker
        };
        self.set_accept_interest(accept_fds, wanted)?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let found = self.turn(deadline, !requests)?;
            let over = || deadline.is_some_and(|deadline| self.now.get() >= deadline);
            // Without room for requests, there may be some after every turn.
            if found.request || found.woken || !requests || over() {
                return Ok(found);
            }
        }
    }

    /// No longer looks after an accept loop.
    pub(crate) fn leave(&self, accept_fds: AcceptFds<'_>) {
        let _ = self.set_accept_interest(accept_fds, AcceptInterest::Nothing);
    }

    /// Runs what it has, and what it is asked to, until there is nothing left and nothing will come.
    pub(crate) fn run(&self) {
        while !self.is_done() {
            if self.turn(None, false).is_err() {
                // Nothing that could be done about it, but burning a processor would be worse.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Whether nothing is left to do, and nothing will come.
    fn is_done(&self) -> bool {
        self.live() == 0 && self.mailbox.is_closed() && !self.mailbox.is_full()
    }

    fn set_accept_interest(
        &self,
        accept_fds: AcceptFds<'_>,
        wanted: AcceptInterest,
    ) -> io::Result<()> {
        let accept_interest = self.accept_interest.get();
        if accept_interest == wanted {
            return Ok(());
        }
        if accept_interest == AcceptInterest::Nothing {
            self.poller.add(accept_fds.waker, WAKER, Watch::Level)?;
            self.accept_interest.set(AcceptInterest::Waker);
        }
        match (accept_interest, wanted) {
            (AcceptInterest::Requests, _) => self.poller.remove(accept_fds.listener),
            // Told to all who wait, although one of them will do (EPOLLEXCLUSIVE): that one may be held up
            // by a handler, or have no room, before it has taken in all there are.
            (_, AcceptInterest::Requests) => {
                self.poller
                    .add(accept_fds.listener, REQUESTS, Watch::Level)?
            }
            _ => {}
        }
        if wanted == AcceptInterest::Nothing {
            self.poller.remove(accept_fds.waker);
        }
        self.accept_interest.set(wanted);
        Ok(())
    }

    /// Everybody who can go on does so once, then there is a wait for more. With `full` there is none if
    /// somebody has ended, which has made room.
    fn turn(&self, deadline: Option<Instant>, full: bool) -> io::Result<Found> {
        let live = self.live();
        self.read_mail();
        self.run_ready();
        self.expire();
        if self.is_done() || (full && self.live() < live) {
            return Ok(Found::default());
        }
        let found = self.poll(deadline)?;
        let now = Instant::now();
        self.now.set(now);
        self.mailbox.set_busy(Some(now));
        // Behind those for which something has come just now.
        let state = &mut *self.state();
        state.ready.extend(state.delayed.drain(..));
        Ok(found)
    }

    fn read_mail(&self) {
        for letter in self.mailbox.take() {
            match letter {
                Message::Wake(token) => self.state().call(token),
                Message::Do(act) => drop(catch_panic(act)),
            }
        }
    }

    /// Ends the waits whose time is over.
    fn expire(&self) {
        let now = self.now.get();
        let state = &mut *self.state();
        while let Some(begun) = state.short_waits.due(now) {
            state.look_up_timeout(begun);
        }
        while let Some((at, token)) = state.timers.due(now) {
            state.time_out(at, token, now);
        }
    }

    fn poll(&self, deadline: Option<Instant>) -> io::Result<Found> {
        let until = {
            let state = self.state();
            if state.ready.is_empty() && state.delayed.is_empty() {
                let times = [deadline, state.timers.next(), state.short_waits.next()];
                Some(times.into_iter().flatten().min())
            } else {
                None
            }
        };
        let mut found = Found::default();
        match until {
            Some(until) if self.mailbox.fall_asleep() => {
                self.mailbox.set_busy(None);
                let now = self.now.get();
                let timeout = until.map(|until| until.saturating_duration_since(now));
                let polled = parked(|| self.poll_for(timeout, &mut found));
                self.mailbox.wake_up();
                polled?;
            }
            _ => self.poll_for(Some(Duration::ZERO), &mut found)?,
        }
        Ok(found)
    }

    fn poll_for(&self, timeout: Option<Duration>, found: &mut Found) -> io::Result<()> {
        let mut others = false;
        let state = &mut *self.state();
        self.poller.wait(timeout, |event| match event.key {
            REQUESTS => found.request = true,
            WAKER => found.woken = true,
            MAIL => self.mailbox.drain_waker(),
            OTHERS => others = true,
            _ => state.note(event),
        })?;
        if others && let Some(poller) = self.others.get() {
            let mut foreign_fds = self.foreign_fds.borrow_mut();
            poller.wait(Some(Duration::ZERO), |event| {
                // It was told once, to all who wait: they look for themselves.
                foreign_fds.take(event.key as RawFd, |token| state.call(token));
            })?;
        }
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        debug_assert_eq!(self.live(), 0, "coroutines were left behind");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::coroutine::Waiter;

    #[test]
    fn timers_of_those_who_have_ended_are_forgotten() {
        let worker = Worker::new(16 * 1024, BlockingPool::default(), |_| {}).unwrap();
        for _ in 0..1000 {
            let (waiting, waits) = mpsc::channel();
            let stack = worker.take_stack().unwrap();
            worker.start(stack, None, move || {
                waiting.send(Waiter::here().unwrap()).unwrap();
                Waiter::wait(Instant::now().checked_add(Duration::from_secs(3600)));
            });
            waits.recv().unwrap().call();
            worker.turn(Some(Instant::now()), false).unwrap();
        }
        assert_eq!(worker.live(), 0);
        assert!(worker.state().timers.len() <= State::SPARE_TIMERS + 2);
    }
}
