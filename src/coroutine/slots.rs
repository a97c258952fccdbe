//! The coroutines of a worker, and what each of them waits for.

use std::os::fd::RawFd;
use std::time::Instant;

use crate::coroutine::switch::Coroutine;
use crate::reentrancy::Roles;
use crate::sys::poll::Direction;
use crate::sys::poller::Event;

/// Names a coroutine of one worker, also after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token {
    index: u32,
    /// A place is used by one coroutine after the other.
    generation: u32,
}

impl Token {
    pub(super) fn key(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(super) fn from_key(key: u64) -> Self {
        Self {
            index: key as u32,
            generation: (key >> 32) as u32,
        }
    }
}

/// One coroutine.
pub(super) struct Slot {
    generation: u32,
    /// While it does not run.
    pub(super) coroutine: Option<Coroutine>,
    /// What it does for which server, while it does not run.
    pub(super) roles: Roles,
    pub(super) wait: ParkReason,
    /// How many waits it has begun: tells one from the next.
    pub(super) waits: u32,
    /// When its wait is over at the latest, as far as that is known.
    pub(super) deadline: Option<Instant>,
    /// The earliest entry in the list of timers.
    pub(super) timer: Option<Instant>,
    pub(super) timed_out: bool,
    pub(super) socket: Socket,
}

/// What a coroutine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParkReason {
    /// For its turn, or it runs.
    Nothing,
    /// For somebody to wake it.
    Call,
    /// For its own socket.
    Own(Direction),
    /// For another one.
    Foreign(RawFd, Direction),
}

/// The connection that a coroutine serves, and owns to its end: what is known about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Socket {
    pub(super) fd: Option<RawFd>,
    /// The poller knows it, as what is to be received and sent.
    pub(super) registered: bool,
    pub(super) registered_to_send: bool,
    /// There is nothing to be received, or no room to send, until the poller says otherwise.
    pub(super) drained: bool,
    pub(super) full: bool,
    /// It will never wait again.
    pub(super) over: bool,
    /// How far the first attempt to receive has come.
    pub(super) first: First,
}

/// How the first bytes of a connection are waited for. The poller need not know a connection that is
/// served before it would have to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// Nothing was tried yet.
    Untried,
    /// Nothing was there right after it was accepted, or was expected to be.
    Late,
    /// It waits for its turn to try again, or tries.
    Delayed,
    /// What there was to be tried was.
    Over,
}

impl Socket {
    fn new(fd: Option<RawFd>) -> Self {
        Self {
            fd,
            registered: false,
            registered_to_send: false,
            drained: false,
            full: false,
            over: false,
            first: First::Untried,
        }
    }

    /// Whether trying is a waste of time.
    pub(super) fn is_exhausted(&self, direction: Direction) -> bool {
        match direction {
            Direction::Receive => self.drained,
            Direction::Send => self.full,
        }
    }

    /// Notes that there was no more to be received, or no more room. The poller is going to say when
    /// that changes: it tells how things are when a socket is registered, and all changes after that.
    pub(super) fn note_exhausted(&mut self, direction: Direction) {
        match direction {
            Direction::Receive => self.drained = !self.over,
            Direction::Send => self.full = !self.over,
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slots {
    /// Makes a place for a coroutine that serves this socket.
    pub(super) fn insert(&mut self, fd: Option<RawFd>) -> Token {
        let socket = Socket::new(fd);
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.socket = socket;
            let generation = slot.generation;
            return Token { index, generation };
        }
        // As many as that do not fit into memory.
        let index = u32::try_from(self.slots.len()).expect("too many coroutines");
        self.slots.push(Slot {
            generation: 0,
            coroutine: None,
            roles: Roles::default(),
            wait: ParkReason::Nothing,
            waits: 0,
            deadline: None,
            timer: None,
            timed_out: false,
            socket,
        });
        Token {
            index,
            generation: 0,
        }
    }

    /// Frees the place of a coroutine that has ended.
    pub(super) fn remove(&mut self, token: Token) {
        let slot = &mut self.slots[token.index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.wait = ParkReason::Nothing;
        slot.deadline = None;
        slot.timer = None;
        slot.timed_out = false;
        self.free.push(token.index);
    }

    pub(super) fn live(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The coroutine of this name, unless it has ended.
    #[inline]
    pub(super) fn get(&mut self, token: Token) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(token.index as usize)?;
        (slot.generation == token.generation).then_some(slot)
    }

    /// The coroutine of this name, which is alive because it is the one that asks.
    #[inline]
    pub(super) fn own(&mut self, token: Token) -> &mut Slot {
        &mut self.slots[token.index as usize]
    }
}

impl Slot {
    /// Notes what became of its socket. Returns whether it has waited for that.
    pub(super) fn note(&mut self, event: Event) -> bool {
        self.socket.over |= event.over;
        if event.readable || event.over {
            self.socket.drained = false;
        }
        if event.writable || event.over {
            self.socket.full = false;
        }
        match self.wait {
            ParkReason::Own(Direction::Receive) => event.readable || event.over,
            ParkReason::Own(Direction::Send) => event.writable || event.over,
            _ => false,
        }
    }
}
