//! The threads of a strategy, and the room for more: counted, not list_entry, so that nothing grows
//! with traffic.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::coroutine::monitor::Monitor;
use crate::strategy::{AcceptWait, Notifier, Ready};

/// The threads of one strategy.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    threads: Monitor<Threads>,
    /// An accept loop that waits for room left word here.
    waiting: Mutex<Option<Notifier>>,
}

#[derive(Debug, Default)]
struct Threads {
    alive: usize,
    /// How many were ever started: the number in the next one's name.
    started: u64,
}

impl Workers {
    /// Starts a thread, named `socketserver-1` and so on.
    pub(super) fn spawn(
        &self,
        stack_size: Option<usize>,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let alive = self.enlist();
        let number = self.shared.threads.lock().started;
        let thread = builder(stack_size).name(format!("socketserver-{number}"));
        // If no thread can be had, the closure is dropped, and the count goes back with it.
        thread.spawn(move || {
            let _alive = alive;
            work();
        })?;
        Ok(())
    }

    /// Counts a thread in that was started elsewhere, until the result is dropped.
    pub(super) fn enlist(&self) -> Alive {
        let mut threads = self.shared.threads.lock();
        threads.alive += 1;
        threads.started += 1;
        Alive(self.clone())
    }

    /// How many threads there are.
    pub(super) fn alive(&self) -> usize {
        self.shared.threads.lock().alive
    }

    /// Waits until there are none left, but not longer than `grace_period`.
    pub(super) fn wait_until_ended(&self, grace_period: Duration) {
        let deadline = Instant::now().checked_add(grace_period);
        let threads = self.shared.threads.lock();
        let alive = |threads: &Threads| threads.alive > 0;
        drop(self.shared.threads.wait_while(threads, deadline, alive));
    }

    /// Waits for the next request if `has_capacity`, and otherwise for somebody to
    /// [`notify_capacity`](Self::notify_capacity); clients wait in the kernel's queue meanwhile.
    pub(super) fn wait(
        &self,
        wait: &AcceptWait<'_>,
        has_capacity: impl Fn() -> bool,
    ) -> io::Result<Ready> {
        if wait.rejecting || has_capacity() {
            return wait.for_request();
        }
        *self.shared.waiting.lock() = Some(wait.notifier());
        // Room that was made before the line above was announced to nobody: look again.
        if has_capacity() {
            wait.for_request()
        } else {
            wait.for_notification()
        }
    }

    /// Tells an accept loop that waits for room that there is some now.
    pub(super) fn notify_capacity(&self) {
        if let Some(notifier) = self.shared.waiting.lock().take() {
            notifier.notify();
        }
    }
}

/// Makes threads with the given stack, or the usual one.
pub(super) fn builder(stack_size: Option<usize>) -> thread::Builder {
    match stack_size {
        Some(size) => thread::Builder::new().stack_size(size),
        None => thread::Builder::new(),
    }
}

/// One thread, as long as it lives.
pub(super) struct Alive(Workers);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.shared.threads.lock().alive -= 1;
        self.0.shared.threads.notify_all();
        self.0.notify_capacity();
    }
}
