//! A thread for every request.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::coroutine::monitor::Monitor;
use crate::job::{Job, Rejected};
use crate::strategy::workers::Workers;
use crate::strategy::{AcceptWait, Ready, Strategy};

/// Runs each request on a thread of its own. Python: `ThreadingMixIn`.
///
/// - **Threads are reused.** One that has finished waits a little ([`keep_alive`]) and is handed
///   the next request, the most recently finished first, because starting a thread for each
///   connection halves the rate at which connections can be served. After a quiet moment none is
///   left.
/// - **There is a cap** ([`max_threads`]). While it is reached, the server accepts no more;
///   clients wait in the kernel's queue ([`request_queue_size`]) until a thread is free. Python's
///   has no limit and fails with "can't start new thread".
/// - **If no thread can be had**, that one connection is closed in order and
///   [`handle_error`](crate::Service::handle_error) is told; the server goes on.
///
/// Handlers of different clients run at the same time, so what they share must be `Sync`: the
/// compiler checks it.
///
/// > **Coming from Python.** `daemon_threads` has no twin: closing the server always waits for
/// > running requests, but never longer than [`grace_period`](crate::Server::grace_period);
/// > [`block_on_close(false)`](crate::Server::block_on_close) does not wait at all.
///
/// [`keep_alive`]: Self::keep_alive
/// [`max_threads`]: Self::max_threads
/// [`request_queue_size`]: crate::ServerOptions::request_queue_size
#[derive(Debug)]
#[doc(alias = "ThreadingMixIn")]
#[doc(alias = "daemon_threads")]
pub struct Threading {
    max_threads: usize,
    keep_alive: Duration,
    stack_size: Option<usize>,
    workers: Workers,
    idle_workers: Arc<IdleWorkers>,
}

impl Threading {
    /// The cap on threads, unless told otherwise.
    pub const DEFAULT_MAX_THREADS: usize = 1024;
    /// How long a thread without a request is kept, unless told otherwise.
    pub const DEFAULT_KEEP_ALIVE: Duration = Duration::from_millis(250);

    /// A thread per request, with the default limits.
    pub fn new() -> Self {
        Self {
            max_threads: Self::DEFAULT_MAX_THREADS,
            keep_alive: Self::DEFAULT_KEEP_ALIVE,
            stack_size: None,
            workers: Workers::default(),
            idle_workers: Arc::default(),
        }
    }

    /// How many requests may run at the same time; at least 1. Default: 1024. Python: no limit.
    pub fn max_threads(mut self, max_threads: usize) -> Self {
        self.max_threads = max_threads.max(1);
        self
    }

    /// How long a thread without a request waits for the next before it ends. Default: 250 ms.
    /// Zero starts a thread for each request, as Python does.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// The stack of each thread, in bytes. Default: that of [`std::thread`], 2 MiB, of which only
    /// what is touched takes memory.
    pub fn stack_size(mut self, stack_size: usize) -> Self {
        self.stack_size = Some(stack_size);
        self
    }
}

impl Default for Threading {
    fn default() -> Self {
        Self::new()
    }
}

impl Strategy for Threading {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        let idle = self.idle_workers.take_last();
        if let Some(slot) = idle {
            slot.put(WorkOrder::Run(job));
            return Ok(());
        }
        // The job waits on the slot and not in the closure, so that it can be had back if no
        // thread can.
        let slot = Arc::new(WorkerSlot::with(WorkOrder::Run(job)));
        let worker = Worker {
            slot: Arc::clone(&slot),
            idle_workers: Arc::clone(&self.idle_workers),
            workers: self.workers.clone(),
            keep_alive: self.keep_alive,
        };
        let Err(error) = self.workers.spawn(self.stack_size, move || worker.work()) else {
            return Ok(());
        };
        match slot.wait(Some(Duration::ZERO)) {
            Some(WorkOrder::Run(job)) => Err(job.reject(Some(error.into()))),
            _ => Ok(()),
        }
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        let has_capacity =
            || self.workers.alive() < self.max_threads || !self.idle_workers.is_empty();
        self.workers.wait(wait, has_capacity)
    }

    fn server_close(&self, grace_period: Duration) {
        self.idle_workers.close();
        self.workers.wait_until_ended(grace_period);
    }
}

/// A thread and what it needs to go on to the next request.
struct Worker {
    slot: Arc<WorkerSlot>,
    idle_workers: Arc<IdleWorkers>,
    workers: Workers,
    keep_alive: Duration,
}

impl Worker {
    fn work(self) {
        let mut order = self.slot.wait(None);
        while let Some(WorkOrder::Run(job)) = order {
            job.run();
            if !self.idle_workers.join(&self.slot) {
                return;
            }
            self.workers.notify_capacity();
            order = self.next_order();
        }
    }

    fn next_order(&self) -> Option<WorkOrder> {
        if let Some(order) = self.slot.wait(Some(self.keep_alive)) {
            return Some(order);
        }
        if self.idle_workers.leave(&self.slot) {
            return None;
        }
        // Somebody has just taken this thread out of the idle_workers, and is about to say what for.
        self.slot.wait(None)
    }
}

/// The threads that wait for a request. The last to have finished is the first to go on: its
/// stack and its caches are warm.
#[derive(Debug, Default)]
struct IdleWorkers {
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    slots: Vec<Arc<WorkerSlot>>,
    closed: bool,
}

impl IdleWorkers {
    /// Lines up for the next request. `false` if there will be none.
    fn join(&self, slot: &Arc<WorkerSlot>) -> bool {
        let mut idle = self.idle.lock();
        if !idle.closed {
            idle.slots.push(Arc::clone(slot));
        }
        !idle.closed
    }

    /// Leaves the idle_workers. `false` if the thread was taken out of it already.
    fn leave(&self, slot: &Arc<WorkerSlot>) -> bool {
        let mut idle = self.idle.lock();
        let place = idle.slots.iter().position(|other| Arc::ptr_eq(slot, other));
        place.map(|place| idle.slots.remove(place)).is_some()
    }

    fn take_last(&self) -> Option<Arc<WorkerSlot>> {
        self.idle.lock().slots.pop()
    }

    fn is_empty(&self) -> bool {
        self.idle.lock().slots.is_empty()
    }

    /// Sends every thread home: those that wait now, the others when they are done.
    fn close(&self) {
        let slots = {
            let mut idle = self.idle.lock();
            idle.closed = true;
            std::mem::take(&mut idle.slots)
        };
        for slot in slots {
            slot.put(WorkOrder::End);
        }
    }
}

/// Where a thread finds what to do next.
#[derive(Debug)]
struct WorkerSlot {
    order: Monitor<Option<WorkOrder>>,
}

#[derive(Debug)]
enum WorkOrder {
    Run(Job),
    End,
}

impl WorkerSlot {
    /// One whose thread has yet to be started.
    fn with(order: WorkOrder) -> Self {
        Self {
            order: Monitor::new(Some(order)),
        }
    }

    fn put(&self, order: WorkOrder) {
        *self.order.lock() = Some(order);
        self.order.notify_one();
    }

    /// Waits for an order, at most `timeout`.
    fn wait(&self, timeout: Option<Duration>) -> Option<WorkOrder> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let order = self.order.lock();
        self.order
            .wait_while(order, deadline, Option::is_none)
            .0
            .take()
    }
}
