//! A thread for each request.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::coroutine::monitor::Monitor;
use crate::job::{Job, Rejected};
use crate::strategy::scheduling::Schedule;
use crate::strategy::workers::Workers;
use crate::strategy::{AcceptWait, Ready, Scheduling, Strategy};

/// Runs each request on a thread of its own. Python: `ThreadingMixIn`.
///
/// - **Threads are reused.** A thread that has finished a request waits for the next one
///   ([`keep_alive`]), because starting a thread for each connection halves the rate at which
///   connections can be served. The thread that finished last is used first. After a quiet moment no
///   thread is left.
/// - **The number of threads is limited** ([`max_threads`]). While the limit is reached, the server
///   accepts no connection: they wait in the backlog ([`request_queue_size`]) until a thread is free.
///   Python has no limit and fails with "can't start new thread".
/// - **If a thread cannot be started**, the connection is closed and
///   [`handle_error`](crate::Service::handle_error) is called with the reason. The server goes on.
///
/// Handlers of different clients run at the same time, so the state that they share must be `Sync`.
/// The compiler checks this.
///
/// > **Coming from Python.** `daemon_threads` has no twin: closing the server waits for running
/// > requests, but never longer than [`grace_period`](crate::Server::grace_period). With
/// > [`block_on_close(false)`](crate::Server::block_on_close) it does not wait at all.
///
/// See the [example](Self::new).
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
    /// Default of [`max_threads`](Self::max_threads).
    pub const DEFAULT_MAX_THREADS: usize = 1024;
    /// Default of [`keep_alive`](Self::keep_alive).
    pub const DEFAULT_KEEP_ALIVE: Duration = Duration::from_millis(250);

    /// Creates the strategy with the default limits.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// # use std::time::Duration;
    /// let strategy = Threading::new()
    ///     .max_threads(100)
    ///     .keep_alive(Duration::from_secs(1))
    ///     .stack_size(256 * 1024);
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.strategy(strategy).spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn new() -> Self {
        Self {
            max_threads: Self::DEFAULT_MAX_THREADS,
            keep_alive: Self::DEFAULT_KEEP_ALIVE,
            stack_size: None,
            workers: Workers::default(),
            idle_workers: Arc::default(),
        }
    }

    /// Sets how many threads there may be, and with that how many requests run at the same time. 0
    /// counts as 1. Default: 1024. [`usize::MAX`] means no limit, as in Python: then the memory and the system
    /// limit the threads, and a request for which no thread can be started fails.
    ///
    /// See the [example](Self::new).
    pub fn max_threads(mut self, max_threads: usize) -> Self {
        self.max_threads = max_threads.max(1);
        self
    }

    /// Sets how long a thread waits for its next request before it ends. Default: 250 ms. With zero, a
    /// thread ends with its request, as in Python. With [`Duration::MAX`], threads stay until the server is closed.
    ///
    /// See the [example](Self::new).
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Sets the size of each thread's stack, in bytes. Default: the default of [`std::thread`], 2 MiB.
    /// Only pages that were used take memory.
    ///
    /// See the [example](Self::new).
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
        if let Some(slot) = self.idle_workers.pop() {
            slot.put(WorkOrder::Run(job));
            return Ok(());
        }
        // The job is in the slot and not in the closure, because the closure is lost if the thread
        // cannot be started.
        let slot = Arc::new(WorkerSlot::new(WorkOrder::Run(job)));
        let worker = Worker {
            slot: Arc::clone(&slot),
            idle_workers: Arc::clone(&self.idle_workers),
            workers: self.workers.clone(),
            keep_alive: self.keep_alive,
        };
        let Err(error) = self.workers.spawn(self.stack_size, move || worker.work()) else {
            return Ok(());
        };
        match slot.take(Some(Duration::ZERO)) {
            Some(WorkOrder::Run(job)) => Err(job.reject(Some(error.into()))),
            _ => Ok(()),
        }
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        let has_capacity =
            || self.workers.alive() < self.max_threads || !self.idle_workers.is_empty();
        self.workers.wait(wait, has_capacity)
    }

    fn server_close(&self, timeout: Duration) {
        self.idle_workers.close();
        self.workers.wait_until_ended(timeout);
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::of(self)
    }
}

impl Schedule for Threading {
    /// With few threads, silent clients would occupy all of them. Of many threads, half are left for the others.
    fn waits_cheaply(&self) -> bool {
        self.max_threads >= Self::DEFAULT_MAX_THREADS && self.workers.alive() < self.max_threads / 2
    }
}

/// The state of one worker thread.
struct Worker {
    slot: Arc<WorkerSlot>,
    idle_workers: Arc<IdleWorkers>,
    workers: Workers,
    keep_alive: Duration,
}

impl Worker {
    fn work(self) {
        let mut order = self.slot.take(None);
        while let Some(WorkOrder::Run(job)) = order {
            job.run();
            if !self.idle_workers.push(&self.slot) {
                return;
            }
            self.workers.notify_capacity();
            order = self.next_order();
        }
    }

    fn next_order(&self) -> Option<WorkOrder> {
        if let Some(order) = self.slot.take(Some(self.keep_alive)) {
            return Some(order);
        }
        if self.idle_workers.remove(&self.slot) {
            return None;
        }
        // Another thread has just removed the slot from the list, and is about to put an order into it.
        self.slot.take(None)
    }
}

/// The slots of the threads that wait for a request: a stack, because the thread that finished last
/// has its stack and its data in the processor's caches.
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
    /// Adds a slot. Returns `false` if the list is closed, because no request will follow.
    fn push(&self, slot: &Arc<WorkerSlot>) -> bool {
        let mut idle = self.idle.lock();
        if !idle.closed {
            idle.slots.push(Arc::clone(slot));
        }
        !idle.closed
    }

    /// Removes a slot. Returns `false` if it was removed before.
    fn remove(&self, slot: &Arc<WorkerSlot>) -> bool {
        let mut idle = self.idle.lock();
        let index = idle.slots.iter().position(|other| Arc::ptr_eq(slot, other));
        index.map(|index| idle.slots.remove(index)).is_some()
    }

    /// Removes the slot that was added last.
    fn pop(&self) -> Option<Arc<WorkerSlot>> {
        self.idle.lock().slots.pop()
    }

    fn is_empty(&self) -> bool {
        self.idle.lock().slots.is_empty()
    }

    /// Ends the idle threads now, and each busy thread after its request.
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

/// Hands one order at a time to a worker thread.
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
    /// Creates a slot that holds the first order of a thread to be started.
    fn new(order: WorkOrder) -> Self {
        Self {
            order: Monitor::new(Some(order)),
        }
    }

    fn put(&self, order: WorkOrder) {
        *self.order.lock() = Some(order);
        self.order.notify_one();
    }

    /// Waits for an order, at most `timeout` (`None`: without limit), and takes it.
    fn take(&self, timeout: Option<Duration>) -> Option<WorkOrder> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let order = self.order.lock();
        self.order
            .wait_while(order, deadline, Option::is_none)
            .0
            .take()
    }
}
