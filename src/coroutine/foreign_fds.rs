//! Who waits for which socket that is not its own.

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use crate::coroutine::slots::Token;
use crate::sys::poll::Direction;

/// Coroutines that wait for sockets that they do not own, in the order of these: there may be as many as
/// there are connections, so nobody looks at all of them.
#[derive(Default)]
pub(super) struct ForeignFds {
    waiting: BTreeMap<(RawFd, Token), Direction>,
}

impl ForeignFds {
    pub(super) fn add(&mut self, fd: RawFd, token: Token, direction: Direction) {
        self.waiting.insert((fd, token), direction);
    }

    pub(super) fn remove(&mut self, fd: RawFd, token: Token) {
        self.waiting.remove(&(fd, token));
    }

    /// Whether somebody waits for this.
    pub(super) fn wait_for(&self, fd: RawFd, direction: Direction) -> bool {
        self.of(fd).any(|(_, wanted)| wanted == direction)
    }

    /// Takes all who wait for a socket, and calls `tell` for each.
    pub(super) fn take(&mut self, fd: RawFd, mut tell: impl FnMut(Token)) {
        loop {
            let Some((token, _)) = self.of(fd).next() else {
                return;
            };
            self.remove(fd, token);
            tell(token);
        }
    }

    fn of(&self, fd: RawFd) -> impl Iterator<Item = (Token, Direction)> {
        let all = (fd, Token::from_key(0))..=(fd, Token::from_key(u64::MAX));
        let those = self.waiting.range(all);
        those.map(|((_, token), direction)| (*token, *direction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_wait_for_a_socket_are_found() {
        let mut foreign_fds = ForeignFds::default();
        let tokens = [0, 1 << 40, u64::MAX - 4].map(Token::from_key);
        for token in tokens {
            for fd in [6, 7, 8] {
                foreign_fds.add(fd, token, Direction::Receive);
            }
        }
        assert!(foreign_fds.wait_for(7, Direction::Receive));
        assert!(!foreign_fds.wait_for(7, Direction::Send));
        foreign_fds.add(7, tokens[1], Direction::Send);
        assert!(foreign_fds.wait_for(7, Direction::Send));
        foreign_fds.remove(7, tokens[0]);
        let mut take = |fd| {
            let mut taken = Vec::new();
            foreign_fds.take(fd, |token| taken.push(token));
            taken
        };
        let taken = take(7);
        assert!(taken.len() == 2 && !taken.contains(&tokens[0]));
        assert_eq!(take(7), []);
        assert_eq!((take(6).len(), take(8).len()), (3, 3));
    }
}
