//! The threads of a strategy, and the notification of an accept loop that waits for capacity.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::coroutine::monitor::Monitor;
use crate::strategy::{AcceptWait, Notifier, Ready};

/// The worker threads of one strategy. They are counted, not listed, so that memory does not grow
/// with traffic.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    threads: Monitor<Threads>,
    /// Wakes the accept loop that waits for capacity.
    capacity_notifier: Mutex<Option<Notifier>>,
}

#[derive(Debug, Default)]
struct Threads {
    alive: usize,
    /// Number of threads started so far: part of the next thread's name.
    started: u64,
}

impl Workers {
    /// Starts a thread with the name `socketserver-1`, `socketserver-2` and so on.
    pub(super) fn spawn(
        &self,
        stack_size: Option<usize>,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let alive = self.enlist();
        let number = self.shared.threads.lock().started;
        let thread = builder(stack_size).name(format!("socketserver-{number}"));
        // If the thread cannot be started, the closure is dropped, and `alive` with it.
        thread.spawn(move || {
            let _alive = alive;
            work();
        })?;
        Ok(())
    }

    /// Counts a thread that was started elsewhere, until the result is dropped.
    pub(super) fn enlist(&self) -> Alive {
        let mut threads = self.shared.threads.lock();
        threads.alive += 1;
        threads.started += 1;
        Alive(self.clone())
    }

    /// Returns the number of threads.
    pub(super) fn alive(&self) -> usize {
        self.shared.threads.lock().alive
    }

    /// Waits, at most `timeout`, until all threads have ended.
    pub(super) fn wait_until_ended(&self, timeout: Duration) {
        let deadline = Instant::now().checked_add(timeout);
        let threads = self.shared.threads.lock();
        let any_alive = |threads: &Threads| threads.alive > 0;
        drop(self.shared.threads.wait_while(threads, deadline, any_alive));
    }

    /// Waits for the next request if the strategy `has_capacity` for it, and otherwise for
    /// [`notify_capacity`](Self::notify_capacity). Connections stay in the backlog meanwhile.
    pub(super) fn wait(
        &self,
        wait: &AcceptWait<'_>,
        has_capacity: impl Fn() -> bool,
    ) -> io::Result<Ready> {
        if wait.rejecting || has_capacity() {
            return wait.for_request();
        }
        *self.shared.capacity_notifier.lock() = Some(wait.notifier());
        // Capacity that became free before the line above was not notified: check again.
        if has_capacity() {
            wait.for_request()
        } else {
            wait.for_notification()
        }
    }

    /// Wakes the accept loop that waits for capacity, if there is one.
    pub(super) fn notify_capacity(&self) {
        if let Some(notifier) = self.shared.capacity_notifier.lock().take() {
            notifier.notify();
        }
    }
}

/// Returns a builder of threads with this stack size in bytes; `None` is the default of
/// [`std::thread`].
pub(super) fn builder(stack_size: Option<usize>) -> thread::Builder {
    match stack_size {
        Some(size) => thread::Builder::new().stack_size(size),
        None => thread::Builder::new(),
    }
}

/// Counts one thread as alive until it is dropped.
pub(super) struct Alive(Workers);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.shared.threads.lock().alive -= 1;
        self.0.shared.threads.notify_all();
        self.0.notify_capacity();
    }
}
