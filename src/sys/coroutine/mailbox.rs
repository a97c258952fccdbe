//! How other threads reach a worker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::slots::Token;
use crate::sys::wake::Waker;

/// What is asked of a worker.
pub(super) enum Letter {
    /// Let this coroutine go on.
    Wake(Token),
    /// Do this, not as a coroutine.
    Do(Box<dyn FnOnce() + Send>),
}

/// What others see of a worker.
pub(crate) struct Mailbox {
    letters: Mutex<Letters>,
    /// There are letters.
    full: AtomicBool,
    /// The worker sleeps, or is about to: a letter has to wake it.
    asleep: AtomicBool,
    waker: Waker,
    /// How many coroutines it has.
    live: AtomicUsize,
    /// How many more are on their way to it.
    coming: AtomicUsize,
    /// Since when the coroutine that runs now has not waited, in nanoseconds after `epoch` and never 0;
    /// 0 if none runs.
    busy_since: AtomicU64,
    epoch: Instant,
}

#[derive(Default)]
struct Letters {
    waiting: Vec<Letter>,
    /// No more letters but wake-ups.
    closed: bool,
}

impl Mailbox {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            letters: Mutex::default(),
            full: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            waker: Waker::new()?,
            live: AtomicUsize::new(0),
            coming: AtomicUsize::new(0),
            busy_since: AtomicU64::new(0),
            epoch: Instant::now(),
        })
    }

    // ---- for others ----

    pub(super) fn wake(&self, token: Token) {
        self.letters.lock().waiting.push(Letter::Wake(token));
        self.call_attention();
    }

    /// Has the worker do something; not as a coroutine. Gives it back if the worker is about to end.
    pub(crate) fn ask<F: FnOnce() + Send + 'static>(&self, act: F) -> Result<(), F> {
        {
            let mut letters = self.letters.lock();
            if letters.closed {
                return Err(act);
            }
            letters.waiting.push(Letter::Do(Box::new(act)));
        }
        self.call_attention();
        Ok(())
    }

    /// Lets the worker end once it has nothing more to do.
    pub(crate) fn close(&self) {
        self.letters.lock().closed = true;
        self.call_attention();
    }

    /// Has the worker look around.
    pub(crate) fn call_attention(&self) {
        self.full.store(true, Ordering::SeqCst);
        // Here the letter is posted and then the sleeper looked for; there sleep is announced and then
        // letters looked for. Whichever comes first, one of the two sees the other.
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    /// How many coroutines the worker has, with those that it is going to be asked for.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed) + self.coming.load(Ordering::Relaxed)
    }

    /// Notes that a coroutine is on its way to this worker.
    pub(crate) fn expect(&self) {
        self.coming.fetch_add(1, Ordering::Relaxed);
    }

    /// It is there.
    pub(crate) fn arrived(&self) {
        self.coming.fetch_sub(1, Ordering::Relaxed);
    }

    /// For how long the worker's current coroutine has not waited.
    pub(crate) fn busy_for(&self) -> Option<Duration> {
        match self.busy_since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(
                self.epoch
                    .elapsed()
                    .saturating_sub(Duration::from_nanos(since)),
            ),
        }
    }

    // ---- for the worker ----

    pub(super) fn set_live(&self, live: usize) {
        self.live.store(live, Ordering::Relaxed);
    }

    pub(super) fn set_busy(&self, since: Option<Instant>) {
        let since = since.map_or(0, |since| {
            let nanos = since.saturating_duration_since(self.epoch).as_nanos();
            u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
        });
        self.busy_since.store(since, Ordering::Relaxed);
    }

    /// Announces sleep. `false` if there is something to do instead.
    pub(super) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        if self.full.load(Ordering::SeqCst) {
            self.asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    pub(super) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Takes back what has woken the worker.
    pub(super) fn drain_waker(&self) {
        self.waker.drain();
    }

    /// Empties the box, if there is something in it.
    #[inline]
    pub(super) fn take(&self) -> Vec<Letter> {
        if !self.full.load(Ordering::SeqCst) {
            return Vec::new();
        }
        self.full.store(false, Ordering::SeqCst);
        std::mem::take(&mut self.letters.lock().waiting)
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.letters.lock().closed
    }
}

impl AsFd for Mailbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }
}

/// Lets a coroutine go on, from any thread. A call too many does no harm: whoever waits looks again
/// whether there is still something to wait for.
#[derive(Clone)]
pub(super) struct Unpark {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) token: Token,
}

impl Unpark {
    /// Whether both let the same coroutine go on.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.token == other.token && Arc::ptr_eq(&self.mailbox, &other.mailbox)
    }

    pub(super) fn unpark(&self) {
        self.mailbox.wake(self.token);
    }
}
