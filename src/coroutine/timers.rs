//! Ends of waits.
//!
//! Timeouts stay in the socket, as under the other strategies, so that code that sets one by
//! `request.socket()` need not know about coroutines. Reading the timeout is a system call, and most waits
//! are shorter than it is worth: only a wait that has lasted 1 ms has its timeout looked up.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use crate::coroutine::park::Token;

/// Ends of waits, the earliest first. A coroutine adds an entry only if it has none that is as early (see
/// [`Slot::timer`](super::slots::Slot::timer)). If its wait ends later than an entry that is due, the entry
/// is added again. Therefore each coroutine has few entries, however often it waits.
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

    /// Removes the entries for which `keep` returns `false`.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Instant, Token) -> bool) {
        self.entries
            .retain(|Reverse((at, token))| keep(*at, *token));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.peek().map(|Reverse((at, _))| *at)
    }

    /// Removes and returns an entry that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Token)> {
        if self.next()? > now {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry)
    }
}

/// A wait for a socket whose timeout was not looked up yet.
#[derive(Clone, Copy)]
pub(super) struct ShortWait {
    pub(super) token: Token,
    /// [`Slot::wait_number`](super::slots::Slot::wait_number) of this wait.
    pub(super) number: u32,
    pub(super) since: Instant,
}

/// Waits for sockets whose timeouts were not looked up yet, the oldest first. The kernel stores the
/// timeout of a socket, and to look it up costs a system call. Most waits are too short for that.
/// Therefore only waits that have lasted [`MAX_AGE`](Self::MAX_AGE) are looked up.
#[derive(Default)]
pub(super) struct ShortWaits {
    waits: VecDeque<ShortWait>,
}

impl ShortWaits {
    const MAX_AGE: Duration = Duration::from_millis(1);

    pub(super) fn add(&mut self, wait: ShortWait) {
        self.waits.push_back(wait);
    }

    /// The moment at which the next timeout has to be looked up.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waits.front().map(|wait| wait.since + Self::MAX_AGE)
    }

    /// Removes and returns a wait that is no longer short. It may have ended in the meantime.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<ShortWait> {
        let wait = *self.waits.front()?;
        if now.saturating_duration_since(wait.since) < Self::MAX_AGE {
            return None;
        }
        self.waits.pop_front()
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
        assert!(timers.pop_due(now).is_none());
        let later = now + Duration::from_secs(3);
        assert_eq!(timers.pop_due(later).unwrap().1, first);
        assert_eq!(timers.pop_due(later).unwrap().1, second);
        assert!(timers.pop_due(later).is_none() && timers.next().is_none());
    }

    #[test]
    fn a_wait_is_looked_at_once_it_is_not_short() {
        let mut waits = ShortWaits::default();
        let since = Instant::now();
        let token = Token::from_key(7);
        waits.add(ShortWait {
            token,
            number: 1,
            since,
        });
        assert!(waits.pop_due(since).is_none());
        assert_eq!(waits.pop_due(waits.next().unwrap()).unwrap().token, token);
        assert!(waits.next().is_none());
    }
}
