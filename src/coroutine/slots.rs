//! The coroutines of a worker.

use std::time::Instant;

use slab::Slab;

use crate::coroutine::own_socket::OwnSocket;
use crate::coroutine::park::{ParkReason, Token};
use crate::coroutine::switch::Coroutine;
use crate::reentrancy::Roles;
use crate::sys::fd::RawFd;
use crate::sys::poll::Direction;
use crate::sys::poller::Event;

/// One coroutine.
pub(super) struct Slot {
    generation: u32,
    /// `None` while it runs.
    pub(super) coroutine: Option<Coroutine>,
    /// Its roles for servers, while it does not run.
    pub(super) roles: Roles,
    pub(super) park_reason: ParkReason,
    /// Number of waits that it has begun. Tells a wait from an earlier one.
    pub(super) wait_number: u32,
    /// The latest end of its wait. `None` if there is no limit, or the limit was not looked up yet.
    pub(super) deadline: Option<Instant>,
    /// Its earliest entry in [`Timers`](super::timers::Timers).
    pub(super) timer: Option<Instant>,
    pub(super) timed_out: bool,
    pub(super) socket: OwnSocket,
}

impl Slot {
    fn new(generation: u32, fd: Option<RawFd>) -> Self {
        Self {
            generation,
            coroutine: None,
            roles: Roles::default(),
            park_reason: ParkReason::None,
            wait_number: 0,
            deadline: None,
            timer: None,
            timed_out: false,
            socket: OwnSocket::new(fd),
        }
    }

    /// Records readiness of its socket. Returns whether the coroutine waits for this.
    pub(super) fn record_event(&mut self, event: Event) -> bool {
        self.socket.record_event(event);
        match self.park_reason {
            ParkReason::OwnSocket(Direction::Receive) => event.readable || event.hung_up,
            ParkReason::OwnSocket(Direction::Send) => event.writable || event.hung_up,
            _ => false,
        }
    }
}

/// The coroutines of a worker, by token.
#[derive(Default)]
pub(super) struct Slots {
    slab: Slab<Slot>,
    next_generation: u32,
}

impl Slots {
    /// Makes a slot for a coroutine that owns the socket `fd`.
    pub(super) fn insert(&mut self, fd: Option<RawFd>) -> Token {
        let generation = self.next_generation;
        self.next_generation = generation.wrapping_add(1);
        let index = self.slab.insert(Slot::new(generation, fd));
        Token {
            index: u32::try_from(index).expect("memory is used up before 2^32 coroutines exist"),
            generation,
        }
    }

    /// Frees the slot of a coroutine that has ended.
    pub(super) fn remove(&mut self, token: Token) {
        self.slab.remove(token.index as usize);
    }

    /// Number of coroutines.
    pub(super) fn live(&self) -> usize {
        self.slab.len()
    }

    /// Returns the slot of a coroutine, or `None` if it has ended.
    #[inline]
    pub(super) fn get(&mut self, token: Token) -> Option<&mut Slot> {
        let slot = self.slab.get_mut(token.index as usize)?;
        (slot.generation == token.generation).then_some(slot)
    }

    /// Returns the slot of the coroutine that runs.
    ///
    /// # Panics
    ///
    /// The coroutine has ended.
    #[inline]
    pub(super) fn running(&mut self, token: Token) -> &mut Slot {
        &mut self.slab[token.index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_refer_to_a_later_coroutine_in_the_same_slot() {
        let mut slots = Slots::default();
        let ended = slots.insert(Some(7));
        slots.remove(ended);
        assert!(slots.get(ended).is_none());
        let live = slots.insert(Some(8));
        assert_eq!((live.index, slots.live()), (ended.index, 1));
        assert!(slots.get(ended).is_none());
        assert_eq!(slots.get(live).unwrap().socket.fd, Some(8));
        assert_eq!(Token::from_key(live.key()), live);
    }
}
