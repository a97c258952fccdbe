//! How other threads reach a worker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::coroutine::slots::Token;
use crate::sys::waker::Waker;

/// What is asked of a worker.
pub(super) enum Message {
    /// Let this coroutine go on.
    Wake(Token),
    /// Do this, not as a coroutine.
    Do(Box<dyn FnOnce() + Send>),
}

/// What others see of a worker.
pub(crate) struct Mailbox {
    messages: Mutex<Messages>,
    /// There are messages.
    full: AtomicBool,
    /// The worker sleeps, or is about to: a letter has to wake it.
    asleep: AtomicBool,
    waker: Waker,
    /// How many coroutines it has, and how many more it was reserved.
    live: AtomicUsize,
    reserved: AtomicUsize,
    /// When the worker has last looked for what has come, in nanoseconds after `epoch` and never 0; 0 if
    /// it waits.
    busy_since: AtomicU64,
    epoch: Instant,
}

#[derive(Default)]
struct Messages {
    waiting: Vec<Message>,
    /// No more messages but wake-ups.
    closed: bool,
}

impl Mailbox {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            messages: Mutex::default(),
            full: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            waker: Waker::new()?,
            live: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
            busy_since: AtomicU64::new(0),
            epoch: Instant::now(),
        })
    }

    // ---- for others ----

    pub(super) fn wake(&self, token: Token) {
        self.messages.lock().waiting.push(Message::Wake(token));
        self.call_attention();
    }

    /// Has the worker do something; not as a coroutine. Gives it back if the worker is about to end.
    pub(crate) fn ask<F: FnOnce() + Send + 'static>(&self, act: F) -> Result<(), F> {
        {
            let mut messages = self.messages.lock();
            if messages.closed {
                return Err(act);
            }
            messages.waiting.push(Message::Do(Box::new(act)));
        }
        self.call_attention();
        Ok(())
    }

    /// Lets the worker end once it has nothing more to do.
    pub(crate) fn close(&self) {
        self.messages.lock().closed = true;
        self.call_attention();
    }

    /// Has the worker look around.
    pub(crate) fn call_attention(&self) {
        self.full.store(true, Ordering::SeqCst);
        // Here the letter is posted and then the sleeper looked for; there sleep is announced and then
        // messages looked for. Whichever comes first, one of the two sees the other.
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    /// How many coroutines the worker has, or will have from what is in the box.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst) + self.reserved.load(Ordering::SeqCst)
    }

    /// Promises the worker another coroutine, if it has fewer than `most`.
    pub(crate) fn reserve(&self, most: usize) -> bool {
        self.reserved.fetch_add(1, Ordering::SeqCst);
        let has_capacity = self.live() <= most;
        if !has_capacity {
            self.release();
        }
        has_capacity
    }

    /// A reserve was kept, or given up.
    pub(crate) fn release(&self) {
        self.reserved.fetch_sub(1, Ordering::SeqCst);
    }

    /// For how long the worker has not looked for what has come.
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
        self.live.store(live, Ordering::SeqCst);
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
    pub(super) fn take(&self) -> Vec<Message> {
        if !self.full.load(Ordering::SeqCst) {
            return Vec::new();
        }
        self.full.store(false, Ordering::SeqCst);
        std::mem::take(&mut self.messages.lock().waiting)
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.messages.lock().closed
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
