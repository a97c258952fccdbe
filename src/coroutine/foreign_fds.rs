//! Waits for sockets that the waiting coroutine does not own.
//!
//! These sockets, such as another client's for a [`Sender`](crate::Sender), are in a second poller and
//! reported once for each wait: a poller watches a descriptor only once, and before the next wait this one
//! may be closed and its number reused.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::coroutine::park::Token;
use crate::sys::fd::{AsRawFd, BorrowedFd, RawFd};
use crate::sys::poll::Direction;
use crate::sys::poller::{Poller, Watch};

/// Sockets that coroutines of a worker wait for without owning them, such as a connection that a
/// [`Sender`](crate::Sender) writes to.
#[derive(Default)]
pub(super) struct ForeignFds {
    /// A second poller of the worker, because a poller can watch a socket only once. `None` until the
    /// first wait.
    poller: Option<Poller>,
    waits: Waits,
}

impl ForeignFds {
    /// Registers a wait, which ends with the next readiness of the socket. Before the first wait,
    /// `add_poller` is called to add the second poller to that of the worker.
    pub(super) fn watch(
        &mut self,
        fd: BorrowedFd<'_>,
        token: Token,
        direction: Direction,
        add_poller: impl FnOnce(&Poller) -> io::Result<()>,
    ) -> io::Result<()> {
        let poller = match &self.poller {
            Some(poller) => poller,
            None => {
                let poller = Poller::new()?;
                add_poller(&poller)?;
                self.poller.insert(poller)
            }
        };
        let raw_fd = fd.as_raw_fd();
        let is_wanted = |wanted| direction == wanted || self.waits.contains(raw_fd, wanted);
        let watch = Watch::OneShot {
            readable: is_wanted(Direction::Receive),
            writable: is_wanted(Direction::Send),
        };
        poller.set(fd, raw_fd as u64, watch)?;
        self.waits.insert(raw_fd, token, direction);
        Ok(())
    }

    /// Ends a wait. The socket is still open.
    pub(super) fn forget(&mut self, fd: RawFd, token: Token) {
        self.waits.remove(fd, token);
        if let Some(poller) = &self.poller
            && self.waits.of(fd).next().is_none()
        {
            poller.forget(fd as u64);
        }
    }

    /// Ends the waits for all sockets that are ready, and calls `wake` for each. An event is reported
    /// once. Therefore all coroutines that wait for a socket are woken, and try again.
    pub(super) fn take_ready(&mut self, mut wake: impl FnMut(Token)) -> io::Result<()> {
        let Self { poller, waits } = self;
        let Some(poller) = poller else {
            return Ok(());
        };
        poller.wait(Some(Duration::ZERO), |event| {
            waits.take(event.key as RawFd, &mut wake);
        })
    }
}

/// Waits, sorted by socket because there may be as many as connections.
#[derive(Default)]
struct Waits {
    by_fd: BTreeMap<(RawFd, Token), Direction>,
}

impl Waits {
    fn insert(&mut self, fd: RawFd, token: Token, direction: Direction) {
        self.by_fd.insert((fd, token), direction);
    }

    fn remove(&mut self, fd: RawFd, token: Token) {
        self.by_fd.remove(&(fd, token));
    }

    fn contains(&self, fd: RawFd, direction: Direction) -> bool {
        self.of(fd).any(|(_, awaited)| awaited == direction)
    }

    /// Removes all waits for a socket, and calls `wake` for each.
    fn take(&mut self, fd: RawFd, mut wake: impl FnMut(Token)) {
        loop {
            let Some((token, _)) = self.of(fd).next() else {
                return;
            };
            self.remove(fd, token);
            wake(token);
        }
    }

    fn of(&self, fd: RawFd) -> impl Iterator<Item = (Token, Direction)> {
        let all_tokens = (fd, Token::from_key(0))..=(fd, Token::from_key(u64::MAX));
        let waits = self.by_fd.range(all_tokens);
        waits.map(|((_, token), direction)| (*token, *direction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_waits_for_a_socket_are_found() {
        let mut waits = Waits::default();
        let tokens = [0, 1 << 40, u64::MAX - 4].map(Token::from_key);
        for token in tokens {
            for fd in [6, 7, 8] {
                waits.insert(fd, token, Direction::Receive);
            }
        }
        assert!(waits.contains(7, Direction::Receive));
        assert!(!waits.contains(7, Direction::Send));
        waits.insert(7, tokens[1], Direction::Send);
        assert!(waits.contains(7, Direction::Send));
        waits.remove(7, tokens[0]);
        let mut take = |fd| {
            let mut taken = Vec::new();
            waits.take(fd, |token| taken.push(token));
            taken
        };
        let taken = take(7);
        assert!(taken.len() == 2 && !taken.contains(&tokens[0]));
        assert_eq!(take(7), []);
        assert_eq!((take(6).len(), take(8).len()), (3, 3));
    }
}
