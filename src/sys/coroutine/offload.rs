//! Threads for what would hold up a worker.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use super::switch::with_current;
use super::task::Task;
use super::waiter::Waiter;
use crate::sys::condition::Monitor;

/// Threads that run what coroutines want run elsewhere. They are started as they are needed, and end
/// when there was nothing to do for a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offload {
    desk: Arc<Monitor<Desk>>,
}

#[derive(Default)]
struct Desk {
    /// One for each coroutine that waits for its result, at most.
    orders: VecDeque<Order>,
    threads: usize,
    idle: usize,
    started: u64,
    closed: bool,
}

type Order = Box<dyn FnOnce() + Send>;

impl Offload {
    /// The most threads; what comes on top of that waits for one.
    const MAX_THREADS: usize = 512;
    const KEEP_ALIVE: Duration = Duration::from_secs(1);

    /// Has a thread run it. Gives it back if none can be had.
    fn submit(&self, order: Order) -> Result<(), Order> {
        let number = {
            let mut desk = self.desk.lock();
            desk.orders.push_back(order);
            if desk.idle >= desk.orders.len() || desk.threads >= Self::MAX_THREADS {
                self.desk.notify_one();
                return Ok(());
            }
            desk.threads += 1;
            desk.started += 1;
            desk.started
        };
        let offload = self.clone();
        let thread = thread::Builder::new().name(format!("socketserver-blocking-{number}"));
        if thread.spawn(move || offload.work()).is_ok() {
            return Ok(());
        }
        let mut desk = self.desk.lock();
        desk.threads -= 1;
        if desk.threads > 0 {
            return Ok(()); // one of them will come to it
        }
        desk.orders.pop_back().map_or(Ok(()), Err)
    }

    fn work(&self) {
        let mut desk = self.desk.lock();
        loop {
            if let Some(order) = desk.orders.pop_front() {
                drop(desk);
                order();
                desk = self.desk.lock();
                continue;
            }
            if desk.closed {
                break;
            }
            desk.idle += 1;
            let deadline = Instant::now().checked_add(Self::KEEP_ALIVE);
            let nothing = |desk: &Desk| desk.orders.is_empty() && !desk.closed;
            let (awake, called) = self.desk.wait_while(desk, deadline, nothing);
            desk = awake;
            desk.idle -= 1;
            if !called {
                break;
            }
        }
        desk.threads -= 1;
        drop(desk);
        self.desk.notify_all();
    }

    /// Ends the threads once they have nothing to do, and waits for that, at most `grace`.
    pub(crate) fn close(&self, grace: Duration) {
        let mut desk = self.desk.lock();
        desk.closed = true;
        self.desk.notify_all();
        let deadline = Instant::now().checked_add(grace);
        let working = |desk: &Desk| desk.threads > 0;
        drop(self.desk.wait_while(desk, deadline, working));
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("threads", &self.threads)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

/// Runs `work` where it may block: in a coroutine, on another thread, while the coroutine waits;
/// elsewhere, right here.
pub(crate) fn blocking<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let allowed = with_current(|task| Task::can_wait().then(|| task.offload()));
    match allowed.flatten().zip(Waiter::here()) {
        Some((offload, waiter)) => elsewhere(&offload, waiter, work),
        None => work(),
    }
}

fn elsewhere<T: Send>(offload: &Offload, waiter: Waiter, work: impl FnOnce() -> T + Send) -> T {
    let outcome = Arc::new(Mutex::new(None));
    let there = Arc::clone(&outcome);
    let order: Box<dyn FnOnce() + Send + '_> = Box::new(move || {
        // `work` and all that it has borrowed are gone when this is there.
        let done = catch_unwind(AssertUnwindSafe(work));
        *there.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        waiter.call();
    });
    // SAFETY: only the lifetime changes. This function does not return, nor unwind, before the outcome
    // is there, at which point `work` has been consumed; of what is left of the order then, nothing
    // borrows: the waiter is owned, and the outcome has been taken out, or is dropped here. (A coroutine
    // that waits is never dropped.)
    let order: Order = unsafe { mem::transmute::<Box<dyn FnOnce() + Send + '_>, Order>(order) };
    if let Err(order) = offload.submit(order) {
        order();
    }
    loop {
        let done = outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match done {
            Some(Ok(result)) => return result,
            Some(Err(panic)) => resume_unwind(panic),
            None => Waiter::wait(None),
        }
    }
}
