//! What a worker knows of its coroutines.

use std::collections::VecDeque;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Instant;

use crate::coroutine::slots::{First, ParkReason, Slots, Token};
use crate::coroutine::switch::Stack;
use crate::coroutine::timers::{Begun, ShortWaits, Timers};
use crate::probe_backoff::ProbeBackoff;
use crate::sys::poll::Direction;
use crate::sys::poller::Event;
use crate::sys::socket::{receive_timeout, send_timeout};

/// Who can go on, who waits for what, and until when.
#[derive(Default)]
pub(super) struct State {
    pub(super) slots: Slots,
    /// Those that can go on.
    pub(super) ready: VecDeque<Token>,
    /// New ones, which try again when those that were ready by now have had their turn.
    pub(super) delayed: Vec<Token>,
    /// Whether to try to receive from a new connection at once, and again a little later.
    pub(super) at_once: ProbeBackoff,
    pub(super) later: ProbeBackoff,
    pub(super) timers: Timers,
    pub(super) short_waits: ShortWaits,
    /// Waits for sockets that have begun since the last look at the clock.
    pub(super) begun: Vec<(Token, u32)>,
    /// Of coroutines that have ended.
    pub(super) stacks: Vec<Stack>,
}

impl State {
    /// How many timers there may be without a coroutine.
    pub(super) const SPARE_TIMERS: usize = 256;

    /// Whether an attempt on a socket is known, or likely enough, to be in vain.
    #[inline]
    pub(super) fn is_exhausted(&mut self, token: Token, fd: RawFd, direction: Direction) -> bool {
        let socket = &mut self.slots.own(token).socket;
        if socket.fd != Some(fd) {
            return false;
        }
        let first = direction == Direction::Receive && socket.first == First::Untried;
        if first && !self.at_once.should_try() {
            socket.first = First::Late;
            return true;
        }
        socket.is_exhausted(direction)
    }

    /// Notes how an attempt went.
    #[inline]
    pub(super) fn note_attempt(
        &mut self,
        token: Token,
        fd: RawFd,
        direction: Direction,
        moved: bool,
        last: bool,
    ) {
        let socket = &mut self.slots.own(token).socket;
        if socket.fd != Some(fd) {
            return;
        }
        if last {
            socket.note_exhausted(direction);
        }
        if direction == Direction::Receive && socket.first != First::Over {
            let (guess, next) = match socket.first {
                First::Untried => (&mut self.at_once, First::Late),
                _ => (&mut self.later, First::Over),
            };
            guess.note(moved);
            socket.first = if moved { First::Over } else { next };
        }
    }

    /// A coroutine can go on.
    pub(super) fn make_ready(&mut self, token: Token) {
        if let Some(slot) = self.slots.get(token) {
            slot.wait = ParkReason::Nothing;
            slot.deadline = None;
            self.ready.push_back(token);
        }
    }

    /// What became of a socket.
    #[inline]
    pub(super) fn note(&mut self, event: Event) {
        let token = Token::from_key(event.key);
        if self.slots.get(token).is_some_and(|slot| slot.note(event)) {
            self.make_ready(token);
        }
    }

    /// Wakes a coroutine, whatever it waits for.
    pub(super) fn call(&mut self, token: Token) {
        let waits = |wait| wait != ParkReason::Nothing;
        if self.slots.get(token).is_some_and(|slot| waits(slot.wait)) {
            self.make_ready(token);
        }
    }

    pub(super) fn set_deadline(&mut self, token: Token, deadline: Instant) {
        let Some(slot) = self.slots.get(token) else {
            return;
        };
        slot.deadline = Some(deadline);
        if slot.timer.is_none_or(|timer| deadline < timer) {
            slot.timer = Some(deadline);
            self.timers.add(deadline, token);
            self.tidy_timers();
        }
    }

    /// Coroutines leave their timers behind when they end, for as long as these were to last. With a
    /// long timeout and many clients, that would be far more than there are coroutines.
    fn tidy_timers(&mut self) {
        if self.timers.len() > 2 * self.slots.live() + Self::SPARE_TIMERS {
            let slots = &mut self.slots;
            self.timers
                .retain(|at, token| slots.get(token).is_some_and(|slot| slot.timer == Some(at)));
        }
    }

    /// A wait for a socket has turned out not to be short.
    pub(super) fn look_up_timeout(&mut self, begun: Begun) {
        let Some(slot) = self.slots.get(begun.token) else {
            return;
        };
        let (fd, direction) = match (slot.wait, slot.socket.fd) {
            _ if slot.waits != begun.number => return,
            (ParkReason::Own(direction), Some(fd)) | (ParkReason::Foreign(fd, direction), _) => {
                (fd, direction)
            }
            _ => return,
        };
        // SAFETY: the coroutine is suspended in a call that borrows this descriptor.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let timeout = match direction {
            Direction::Receive => receive_timeout(fd),
            Direction::Send => send_timeout(fd),
        };
        if let Some(deadline) = timeout.and_then(|timeout| begun.since.checked_add(timeout)) {
            self.set_deadline(begun.token, deadline);
        }
    }

    /// A timer is due: that of a wait that goes on, or of an earlier one.
    pub(super) fn time_out(&mut self, at: Instant, token: Token, now: Instant) {
        let Some(slot) = self.slots.get(token) else {
            return;
        };
        if slot.timer != Some(at) {
            return; // there is an earlier one, which was due before and has seen to this
        }
        slot.timer = None;
        match slot.deadline {
            Some(deadline) if deadline <= now => {
                slot.timed_out = true;
                self.make_ready(token);
            }
            Some(deadline) => self.set_deadline(token, deadline),
            None => {}
        }
    }
}
