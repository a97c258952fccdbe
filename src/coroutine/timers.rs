//! When waits are over.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use crate::coroutine::slots::Token;

/// Waits that end at a time, the next one first. A coroutine enters one only if it has none that is as
/// early (see [`Slot::timer`](super::slots::Slot::timer)), and an entry whose coroutine waits for something
/// later by then is entered anew: so each has few of them, however often it waits.
#[derive(Default)]
pub(super) struct Timers {
    entries: BinaryHeap<Reverse<(Instant, Token)>>,
}

impl Timers {
    pub(super) fn add(&mut self, at: Instant, token: Token) {
        self.entries.push(Reverse((at, token)));
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets entries that mean nothing any more.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Instant, Token) -> bool) {
        self.entries
            .retain(|Reverse((at, token))| keep(*at, *token));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one entry whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Instant, Token)> {
        if self.next()? > now {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry)
    }
}

/// A wait for a socket that has begun and may become a long one.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    pub(super) token: Token,
    /// Which of its waits.
    pub(super) number: u32,
    pub(super) since: Instant,
}

/// Waits for sockets whose timeout nobody has asked for yet. The kernel keeps it with the socket, and
/// asking costs a system call, which most waits are too short for: only those that have lasted for
/// [`SHORT`](Self::SHORT) are looked at.
#[derive(Default)]
pub(super) struct ShortWaits {
    begun: VecDeque<Begun>,
}

impl ShortWaits {
    const SHORT: Duration = Duration::from_millis(1);

    pub(super) fn add(&mut self, begun: Begun) {
        self.begun.push_back(begun);
    }

    /// When there is one to look at.
    pub(super) fn next(&self) -> Option<Instant> {
        self.begun.front().map(|begun| begun.since + Self::SHORT)
    }

    /// Takes one that is no longer short, if it still lasts.
    pub(super) fn due(&mut self, now: Instant) -> Option<Begun> {
        let begun = *self.begun.front()?;
        if now.saturating_duration_since(begun.since) < Self::SHORT {
            return None;
        }
        self.begun.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_due_in_their_order() {
        let mut timers = Timers::default();
        let now = Instant::now();
        let [first, second] = [1, 2].map(Token::from_key);
        timers.add(now + Duration::from_secs(2), second);
        timers.add(now + Duration::from_secs(1), first);
        assert!(timers.due(now).is_none());
        let later = now + Duration::from_secs(3);
        assert_eq!(timers.due(later).unwrap().1, first);
        assert_eq!(timers.due(later).unwrap().1, second);
        assert!(timers.due(later).is_none() && timers.next().is_none());
    }

    #[test]
    fn a_wait_is_looked_at_once_it_is_not_short() {
        let mut waits = ShortWaits::default();
        let since = Instant::now();
        let token = Token::from_key(7);
        waits.add(Begun {
            token,
            number: 1,
            since,
        });
        assert!(waits.due(since).is_none());
        assert_eq!(waits.due(waits.next().unwrap()).unwrap().token, token);
        assert!(waits.next().is_none());
    }
}
