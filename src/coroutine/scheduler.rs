//! Schedule of a worker's coroutines.

use std::collections::VecDeque;
use std::time::Instant;

use crate::coroutine::own_socket::FirstReceive;
use crate::coroutine::park::{ParkReason, Token, WaitLimit};
use crate::coroutine::slots::Slots;
use crate::coroutine::switch::Stack;
use crate::coroutine::timers::{ShortWait, ShortWaits, Timers};
use crate::probe_backoff::ProbeBackoff;
use crate::sys::fd::{BorrowedFd, RawFd};
use crate::sys::poll::Direction;
use crate::sys::poller::Event;
use crate::sys::socket::{may_have_timeouts, receive_timeout, send_timeout};

/// The coroutines of a worker: which are ready to run, and which wait, for what and until when.
#[derive(Default)]
pub(super) struct Scheduler {
    pub(super) slots: Slots,
    /// Coroutines that are ready to run.
    pub(super) ready: VecDeque<Token>,
    /// New coroutines that try to receive again after the coroutines that are ready now.
    pub(super) retrying: Vec<Token>,
    /// Decides whether to receive from a new connection at once.
    first_probe: ProbeBackoff,
    /// Decides whether to try again before the connection is registered with the poller.
    second_probe: ProbeBackoff,
    pub(super) timers: Timers,
    pub(super) short_waits: ShortWaits,
    /// Waits for sockets that have begun since the clock was last read: tokens and wait numbers.
    new_waits: Vec<(Token, u32)>,
    /// Stacks of coroutines that have ended.
    pub(super) spare_stacks: Vec<Stack>,
}

/// Outcome of an attempt to receive or send without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    WouldBlock,
    /// Bytes were moved. `exhausted`: the next attempt would block.
    Moved {
        exhausted: bool,
    },
}

impl Scheduler {
    /// Number of timers that may exist in addition to two for each coroutine.
    pub(super) const SPARE_TIMERS: usize = 256;

    /// Returns whether an attempt on a socket is known, or expected, to fail with `WouldBlock`.
    #[inline]
    pub(super) fn expects_would_block(
        &mut self,
        token: Token,
        fd: RawFd,
        direction: Direction,
    ) -> bool {
        let socket = &mut self.slots.running(token).socket;
        if socket.fd != Some(fd) {
            return false;
        }
        // The poller may have reported the input already, and does not report it again.
        let is_first = direction == Direction::Receive
            && socket.first_receive == FirstReceive::Untried
            && !socket.is_registered;
        if is_first && !self.first_probe.should_try() {
            socket.first_receive = FirstReceive::Missed;
            return true;
        }
        socket.is_exhausted(direction)
    }

    #[inline]
    pub(super) fn record_attempt(
        &mut self,
        token: Token,
        fd: RawFd,
        direction: Direction,
        attempt: Attempt,
    ) {
        let socket = &mut self.slots.running(token).socket;
        if socket.fd != Some(fd) {
            return;
        }
        if attempt != (Attempt::Moved { exhausted: false }) {
            socket.record_exhausted(direction);
        }
        if direction == Direction::Receive && socket.first_receive != FirstReceive::Done {
            let moved = attempt != Attempt::WouldBlock;
            let (probe, next) = match socket.first_receive {
                FirstReceive::Untried => (&mut self.first_probe, FirstReceive::Missed),
                _ => (&mut self.second_probe, FirstReceive::Done),
            };
            probe.record(moved);
            socket.first_receive = if moved { FirstReceive::Done } else { next };
        }
    }

    /// Schedules a second attempt to receive the first bytes of a connection. Returns whether it did,
    /// and the coroutine has to suspend.
    pub(super) fn retry_first_receive(&mut self, token: Token) -> bool {
        let socket = &mut self.slots.running(token).socket;
        let previous = std::mem::replace(&mut socket.first_receive, FirstReceive::Done);
        // A wait without an attempt to receive, such as that of a connection that lingers, leaves the state
        // at `Retrying`.
        let is_over = matches!(previous, FirstReceive::Retrying | FirstReceive::Done);
        if is_over || !self.second_probe.should_try() {
            return false;
        }
        socket.retry_first_receive();
        self.retrying.push(token);
        true
    }

    /// Records what the running coroutine is going to wait for.
    pub(super) fn park(&mut self, token: Token, reason: ParkReason, limit: WaitLimit) {
        let slot = self.slots.running(token);
        slot.park_reason = reason;
        slot.wait_number = slot.wait_number.wrapping_add(1);
        slot.timed_out = false;
        slot.deadline = None;
        // If no connection has a timeout, there is none to look up.
        let may_time_out = match reason {
            ParkReason::OwnSocket(_) => may_have_timeouts(),
            ParkReason::ForeignFd(..) => true,
            ParkReason::Wake | ParkReason::None => false,
        };
        match limit {
            WaitLimit::SocketTimeout if may_time_out => {
                self.new_waits.push((token, slot.wait_number));
            }
            WaitLimit::Until(Some(deadline)) => self.set_deadline(token, deadline),
            _ => {}
        }
    }

    /// Dates the waits that have begun since the clock was last read.
    pub(super) fn date_new_waits(&mut self, now: Instant) {
        for (token, number) in self.new_waits.drain(..) {
            self.short_waits.add(ShortWait {
                token,
                number,
                since: now,
            });
        }
    }

    fn make_ready(&mut self, token: Token) {
        if let Some(slot) = self.slots.get(token) {
            slot.park_reason = ParkReason::None;
            slot.deadline = None;
            self.ready.push_back(token);
        }
    }

    /// Records readiness of a coroutine's own socket.
    #[inline]
    pub(super) fn record_event(&mut self, event: Event) {
        let token = Token::from_key(event.key);
        let slot = self.slots.get(token);
        if slot.is_some_and(|slot| slot.record_event(event)) {
            self.make_ready(token);
        }
    }

    /// Ends the wait of a coroutine, whatever it waits for.
    pub(super) fn wake(&mut self, token: Token) {
        let slot = self.slots.get(token);
        if slot.is_some_and(|slot| slot.park_reason != ParkReason::None) {
            self.make_ready(token);
        }
    }

    fn set_deadline(&mut self, token: Token, deadline: Instant) {
        let Some(slot) = self.slots.get(token) else {
            return;
        };
        slot.deadline = Some(deadline);
        if slot.timer.is_none_or(|timer| deadline < timer) {
            slot.timer = Some(deadline);
            self.timers.add(deadline, token);
            self.prune_timers();
        }
    }

    /// Removes timers of coroutines that have ended. With a long timeout and many short connections,
    /// these timers would soon be far more than the coroutines.
    fn prune_timers(&mut self) {
        if self.timers.len() > 2 * self.slots.live() + Self::SPARE_TIMERS {
            let slots = &mut self.slots;
            self.timers
                .retain(|at, token| slots.get(token).is_some_and(|slot| slot.timer == Some(at)));
        }
    }

    /// Ends the waits whose time has passed.
    pub(super) fn expire_waits(&mut self, now: Instant) {
        while let Some(wait) = self.short_waits.pop_due(now) {
            self.look_up_timeout(wait);
        }
        while let Some((at, token)) = self.timers.pop_due(now) {
            self.expire_timer(at, token, now);
        }
    }

    /// Looks up the timeout of a socket, if the wait for it still lasts.
    fn look_up_timeout(&mut self, wait: ShortWait) {
        let Some(slot) = self.slots.get(wait.token) else {
            return;
        };
        let (fd, direction) = match (slot.park_reason, slot.socket.fd) {
            _ if slot.wait_number != wait.number => return,
            (ParkReason::OwnSocket(direction), Some(fd))
            | (ParkReason::ForeignFd(fd, direction), _) => (fd, direction),
            _ => return,
        };
        // SAFETY: the coroutine is suspended in a call that borrows this descriptor.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let timeout = match direction {
            Direction::Receive => receive_timeout(fd),
            Direction::Send => send_timeout(fd),
        };
        if let Some(deadline) = timeout.and_then(|timeout| wait.since.checked_add(timeout)) {
            self.set_deadline(wait.token, deadline);
        }
    }

    /// Handles a timer that is due. It may belong to an earlier wait of the coroutine.
    fn expire_timer(&mut self, at: Instant, token: Token, now: Instant) {
        let Some(slot) = self.slots.get(token) else {
            return;
        };
        if slot.timer != Some(at) {
            return; // An earlier timer was due before this one, and has set the next one.
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
