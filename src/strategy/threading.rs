//! A thread for every request.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::workers::Workers;
use super::{Ready, Strategy, Wait};
use crate::job::{Job, Rejected};
use crate::sys::condition::Monitor;

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
/// > running requests, but never longer than [`grace`](crate::Server::grace);
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
    line: Arc<Line>,
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
            line: Arc::default(),
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
        let idle = self.line.take_last();
        if let Some(desk) = idle {
            desk.put(Order::Run(job));
            return Ok(());
        }
        // The job waits on the desk and not in the closure, so that it can be had back if no
        // thread can.
        let desk = Arc::new(Desk::with(Order::Run(job)));
        let worker = Worker {
            desk: Arc::clone(&desk),
            line: Arc::clone(&self.line),
            workers: self.workers.clone(),
            keep_alive: self.keep_alive,
        };
        let Err(error) = self.workers.spawn(self.stack_size, move || worker.work()) else {
            return Ok(());
        };
        match desk.wait(Some(Duration::ZERO)) {
            Some(Order::Run(job)) => Err(job.reject(Some(error.into()))),
            _ => Ok(()),
        }
    }

    fn wait(&self, wait: &Wait<'_>) -> io::Result<Ready> {
        let has_room = || self.workers.alive() < self.max_threads || !self.line.is_empty();
        self.workers.wait(wait, has_room)
    }

    fn server_close(&self, grace: Duration) {
        self.line.close();
        self.workers.wait_until_ended(grace);
    }
}

/// A thread and what it needs to go on to the next request.
struct Worker {
    desk: Arc<Desk>,
    line: Arc<Line>,
    workers: Workers,
    keep_alive: Duration,
}

impl Worker {
    fn work(self) {
        let mut order = self.desk.wait(None);
        while let Some(Order::Run(job)) = order {
            job.run();
            if !self.line.join(&self.desk) {
                return;
            }
            self.workers.announce_room();
            order = self.next_order();
        }
    }

    fn next_order(&self) -> Option<Order> {
        if let Some(order) = self.desk.wait(Some(self.keep_alive)) {
            return Some(order);
        }
        if self.line.leave(&self.desk) {
            return None;
        }
        // Somebody has just taken this thread out of the line, and is about to say what for.
        self.desk.wait(None)
    }
}

/// The threads that wait for a request. The last to have finished is the first to go on: its
/// stack and its caches are warm.
#[derive(Debug, Default)]
struct Line {
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    desks: Vec<Arc<Desk>>,
    closed: bool,
}

impl Line {
    /// Lines up for the next request. `false` if there will be none.
    fn join(&self, desk: &Arc<Desk>) -> bool {
        let mut idle = self.idle.lock();
        if !idle.closed {
            idle.desks.push(Arc::clone(desk));
        }
        !idle.closed
    }

    /// Leaves the line. `false` if the thread was taken out of it already.
    fn leave(&self, desk: &Arc<Desk>) -> bool {
        let mut idle = self.idle.lock();
        let place = idle.desks.iter().position(|other| Arc::ptr_eq(desk, other));
        place.map(|place| idle.desks.remove(place)).is_some()
    }

    fn take_last(&self) -> Option<Arc<Desk>> {
        self.idle.lock().desks.pop()
    }

    fn is_empty(&self) -> bool {
        self.idle.lock().desks.is_empty()
    }

    /// Sends every thread home: those that wait now, the others when they are done.
    fn close(&self) {
        let desks = {
            let mut idle = self.idle.lock();
            idle.closed = true;
            std::mem::take(&mut idle.desks)
        };
        for desk in desks {
            desk.put(Order::End);
        }
    }
}

/// Where a thread finds what to do next.
#[derive(Debug)]
struct Desk {
    order: Monitor<Option<Order>>,
}

#[derive(Debug)]
enum Order {
    Run(Job),
    End,
}

impl Desk {
    /// One whose thread has yet to be started.
    fn with(order: Order) -> Self {
        Self {
            order: Monitor::new(Some(order)),
        }
    }

    fn put(&self, order: Order) {
        *self.order.lock() = Some(order);
        self.order.notify_one();
    }

    /// Waits for an order, at most `timeout`.
    fn wait(&self, timeout: Option<Duration>) -> Option<Order> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let order = self.order.lock();
        self.order
            .wait_while(order, deadline, Option::is_none)
            .0
            .take()
    }
}
