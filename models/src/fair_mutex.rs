//! Models of `Turn`: a lock with a line, for threads and coroutines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::SOME_TIME;
use crate::sys::coroutine::as_coroutine;
use crate::sys::turn::Turn;

#[derive(Default)]
struct Shared {
    turn: Turn,
    inside: AtomicUsize,
    /// How often somebody had a turn.
    turns: AtomicUsize,
}

impl Shared {
    /// Takes a turn, if it comes in time, and uses it. Nobody else has one meanwhile.
    fn enter(&self, timeout: Option<Duration>) -> bool {
        let Some(_guard) = self.turn.take(|| timeout) else {
            return false;
        };
        assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0);
        thread::yield_now();
        // All of this is relaxed: it is the turn that has to show to the next one what was done in it.
        let turns = self.turns.load(Ordering::Relaxed);
        self.turns.store(turns + 1, Ordering::Relaxed);
        assert_eq!(self.inside.fetch_sub(1, Ordering::Relaxed), 1);
        true
    }
}

#[derive(Clone, Copy)]
struct Taker {
    timeout: Option<Duration>,
    coroutine: bool,
    turns: usize,
}

impl Taker {
    fn run(self, shared: &Shared) -> usize {
        let take = || {
            let taken = (0..self.turns).map(|_| shared.enter(self.timeout));
            taken.filter(|taken| *taken).count()
        };
        let taken = if self.coroutine {
            as_coroutine(take)
        } else {
            take()
        };
        assert!(taken == self.turns || self.timeout.is_some());
        taken
    }
}

/// Everybody who waits without a limit has all turns, and in the end it is free.
fn take_turns(takers: &[Taker]) {
    let shared = Arc::new(Shared::default());
    let threads: Vec<_> = takers
        .iter()
        .map(|taker| {
            let (taker, shared) = (*taker, Arc::clone(&shared));
            thread::spawn(move || taker.run(&shared))
        })
        .collect();
    let taken: usize = threads
        .into_iter()
        .map(|thread| thread.join().expect("it has had its turns"))
        .sum();
    assert_eq!(shared.turns.load(Ordering::SeqCst), taken);
    let at_once = || panic!("somebody has kept it");
    assert!(shared.turn.take(at_once).is_some(), "it is free");
}

const PATIENT: Taker = Taker {
    timeout: None,
    coroutine: false,
    turns: 2,
};

const IN_A_HURRY: Taker = Taker {
    timeout: Some(SOME_TIME),
    ..PATIENT
};

/// One at a time, and everybody in the end.
pub fn everybody_has_a_turn() {
    let coroutine = Taker {
        coroutine: true,
        ..PATIENT
    };
    take_turns(&[PATIENT, coroutine, PATIENT]);
}

/// Some leave the line, perhaps in the moment in which it is their turn: nobody else suffers from it.
pub fn who_gives_up_holds_up_nobody() {
    let coroutine = Taker {
        coroutine: true,
        ..IN_A_HURRY
    };
    take_turns(&[PATIENT, IN_A_HURRY, coroutine]);
}

/// Two who want it once each, small enough to try everything.
pub fn two_take_turns() {
    let once = Taker {
        turns: 1,
        ..PATIENT
    };
    take_turns(&[once; 2]);
}

/// The same, with one that may give up.
pub fn one_of_two_gives_up() {
    let hurried = Taker {
        turns: 1,
        ..IN_A_HURRY
    };
    take_turns(&[
        Taker {
            turns: 1,
            ..PATIENT
        },
        hurried,
    ]);
}

/// Two wait, of whom one may give up, just when it is its turn: the other has it then.
pub fn one_of_three_gives_up() {
    let once = Taker {
        turns: 1,
        ..PATIENT
    };
    let hurried = Taker {
        turns: 1,
        coroutine: true,
        ..IN_A_HURRY
    };
    take_turns(&[once, hurried, once]);
}
