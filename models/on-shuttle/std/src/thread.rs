//! Threads whose number can be limited, and a park with a timeout.

use ::std::cell::Cell;
use ::std::io;

use shuttle::sync::{Condvar, Mutex};

use crate::chance;
use crate::sync::{Arc, PoisonError};
use crate::time::{Duration, Instant, pass};

pub use ::std::thread::{Result, available_parallelism, panicking};
pub use shuttle::thread::{AccessError, JoinHandle, LocalKey, ThreadId, spawn, yield_now};

::std::thread_local! {
    /// Number of threads that a `Builder` can still start. `None`: without limit.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Sets how many threads a [`Builder`] can start from now on. Further attempts fail.
pub fn limit(threads: Option<usize>) {
    LEFT.set(threads);
}

#[derive(Debug, Default)]
pub struct Builder(shuttle::thread::Builder);

impl Builder {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn name(self, name: String) -> Self {
        Self(self.0.name(name))
    }

    /// Ignores the size, because the model checker determines the stacks.
    pub fn stack_size(self, _size: usize) -> Self {
        self
    }

    pub fn spawn<F, T>(self, work: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match LEFT.get() {
            Some(0) => return Err(io::ErrorKind::WouldBlock.into()),
            Some(left) => LEFT.set(Some(left - 1)),
            None => {}
        }
        self.0.spawn(work)
    }
}

/// The token of `park` and `unpark`.
#[derive(Debug, Default)]
struct Token {
    available: Mutex<bool>,
    changed: Condvar,
}

shuttle::thread_local! {
    static TOKEN: Arc<Token> = Arc::default();
}

#[derive(Clone, Debug)]
pub struct Thread {
    token: Arc<Token>,
    id: ThreadId,
}

impl Thread {
    pub fn id(&self) -> ThreadId {
        self.id
    }

    pub fn unpark(&self) {
        *self
            .token
            .available
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.token.changed.notify_one();
    }
}

pub fn current() -> Thread {
    Thread {
        token: TOKEN.with(Arc::clone),
        id: shuttle::thread::current().id(),
    }
}

pub fn park() {
    if chance::is_spurious() {
        return yield_now();
    }
    let token = TOKEN.with(Arc::clone);
    let mut available = token
        .available
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    while !*available {
        let waited = token.changed.wait(available);
        available = waited.unwrap_or_else(PoisonError::into_inner);
    }
    *available = false;
}

pub fn park_timeout(timeout: Duration) {
    let start = Instant::now();
    let token = TOKEN.with(Arc::clone);
    for _ in 0..=chance::patience() {
        {
            let mut available = token
                .available
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if ::std::mem::take(&mut *available) {
                return;
            }
        }
        yield_now();
    }
    pass(start, timeout);
}

/// Lets other threads run for any number of steps.
pub fn sleep(duration: Duration) {
    let start = Instant::now();
    for _ in 0..=chance::patience() {
        yield_now();
    }
    pass(start, duration);
}
