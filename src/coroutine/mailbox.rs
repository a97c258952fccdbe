//! Access to a worker from other threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::coroutine::park::Token;
use crate::sys::fd::impl_as_fd;
use crate::sys::waker::Waker;

/// A request to a worker.
pub(super) enum Message {
    /// Let this coroutine run.
    Wake(Token),
    /// Run this function, outside of coroutines.
    Run(Box<dyn FnOnce() + Send>),
}

/// The part of a worker that other threads see: its messages and its load.
pub(crate) struct Mailbox {
    messages: Mutex<Messages>,
    /// Whether the worker has to look at `messages`.
    has_news: AtomicBool,
    /// Whether the worker sleeps or is about to. A message then has to wake it.
    is_asleep: AtomicBool,
    waker: Waker,
    /// Number of coroutines of the worker.
    live: AtomicUsize,
    /// Number of coroutines that other workers are sending to it.
    reserved: AtomicUsize,
    /// The moment of the last poll for events, in nanoseconds after `epoch` and never 0. 0 while the
    /// worker sleeps.
    busy_since: AtomicU64,
    epoch: Instant,
}

#[derive(Default)]
struct Messages {
    pending: Vec<Message>,
    /// Whether the worker accepts wake-ups only.
    is_closed: bool,
}

impl Mailbox {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            messages: Mutex::default(),
            has_news: AtomicBool::new(false),
            is_asleep: AtomicBool::new(false),
            waker: Waker::new()?,
            live: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
            busy_since: AtomicU64::new(0),
            epoch: Instant::now(),
        })
    }

    // ---- for other threads ----

    pub(super) fn wake(&self, token: Token) {
        self.messages.lock().pending.push(Message::Wake(token));
        self.notify();
    }

    /// Makes the worker run `work` outside of coroutines. Returns `work` if the mailbox is closed.
    pub(crate) fn submit<F: FnOnce() + Send + 'static>(&self, work: F) -> Result<(), F> {
        {
            let mut messages = self.messages.lock();
            if messages.is_closed {
                return Err(work);
            }
            messages.pending.push(Message::Run(Box::new(work)));
        }
        self.notify();
        Ok(())
    }

    /// Lets the worker end as soon as it has no coroutine left.
    pub(crate) fn close(&self) {
        self.messages.lock().is_closed = true;
        self.notify();
    }

    fn notify(&self) {
        self.has_news.store(true, Ordering::SeqCst);
        // Here, `has_news` is written before `is_asleep` is read. In `prepare_sleep`, `is_asleep` is
        // written before `has_news` is read. Whichever comes first, one side sees the other.
        if self.is_asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    /// Number of coroutines of the worker, reserved ones included.
    pub(crate) fn load(&self) -> usize {
        self.live.load(Ordering::SeqCst) + self.reserved.load(Ordering::SeqCst)
    }

    /// Reserves capacity for a coroutine, unless the load would exceed `max_load`. Returns whether it
    /// did.
    pub(crate) fn reserve(&self, max_load: usize) -> bool {
        self.reserved.fetch_add(1, Ordering::SeqCst);
        let has_capacity = self.load() <= max_load;
        if !has_capacity {
            self.release();
        }
        has_capacity
    }

    /// Ends a reservation: the coroutine has arrived, or will not.
    pub(crate) fn release(&self) {
        self.reserved.fetch_sub(1, Ordering::SeqCst);
    }

    /// Time since the worker last polled for events. `None` while it sleeps.
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

    /// Announces that the worker is about to sleep. Returns `false` if it has to look at messages
    /// instead.
    pub(super) fn prepare_sleep(&self) -> bool {
        self.is_asleep.store(true, Ordering::SeqCst);
        if self.has_news() {
            self.is_asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    pub(super) fn end_sleep(&self) {
        self.is_asleep.store(false, Ordering::SeqCst);
    }

    /// Clears the wake-ups of the waker.
    pub(super) fn drain_waker(&self) {
        self.waker.drain();
    }

    /// Takes all messages.
    #[inline]
    pub(super) fn take(&self) -> Vec<Message> {
        if !self.has_news() {
            return Vec::new();
        }
        self.has_news.store(false, Ordering::SeqCst);
        std::mem::take(&mut self.messages.lock().pending)
    }

    pub(super) fn has_news(&self) -> bool {
        self.has_news.load(Ordering::SeqCst)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.messages.lock().is_closed
    }
}

impl_as_fd!(Mailbox, waker);

/// Wakes a coroutine from any thread. An unneeded wake-up is harmless, because each wait checks its
/// condition again.
#[derive(Clone)]
pub(super) struct Unpark {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) token: Token,
}

impl Unpark {
    /// Returns whether both wake the same coroutine.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.token == other.token && Arc::ptr_eq(&self.mailbox, &other.mailbox)
    }

    pub(super) fn unpark(&self) {
        self.mailbox.wake(self.token);
    }
}
