//! A fixed number of threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvError, SendError, Sender, bounded};
use parking_lot::Mutex;

use crate::job::{Job, Rejected};
use crate::request::RequestKind;
use crate::strategy::scheduling::Schedule;
use crate::strategy::scheduling::Scheduling;
use crate::strategy::workers::{Workers, builder};
use crate::strategy::{AcceptWait, Ready, Strategy};
use crate::sys::fork_gate::parked;

/// Runs requests on a fixed number of threads. Python: a `ThreadPoolExecutor` and an override of
/// `process_request`, by hand.
///
/// - **Connections**: the accept loop puts them into a bounded [`queue_size`](Self::queue_size); each thread
///   serves one at a time, to its end. So at most `n` clients are served at once, and a client
///   that stays connected keeps its thread: a pool suits short conversations, or clients that
///   [`timeout`](crate::ServerOptions::timeout) keeps from idling. Threads start as they are
///   needed and stay until the server is closed.
/// - **Datagrams**: every thread takes packets from the socket itself and serves them on the spot,
///   because a hop from a receiving thread through a queue costs half the throughput. There
///   is no queue but the socket's.
/// - **When the queue is full** there are two policies ([`when_full`](Self::when_full)): leave
///   clients in the kernel's queue, or turn them away at once.
#[derive(Debug)]
#[doc(alias = "ThreadPoolExecutor")]
#[doc(alias = "ThreadPoolMixIn")]
pub struct ThreadPool {
    threads: usize,
    stack_size: Option<usize>,
    workers: Workers,
    /// How many jobs may wait that no thread comes for.
    places: usize,
    /// How many threads come for a job, less the jobs in the queue. Below zero, it is jobs that wait
    /// for a thread to finish.
    balance: Arc<AtomicIsize>,
    jobs: Receiver<Job>,
    /// The other end of the queue, until the server is closed.
    way_in: Mutex<Option<Sender<Job>>>,
}

impl ThreadPool {
    /// The most threads, and the most places in the queue, that a pool can have.
    pub const MAX: usize = 1 << 16;

    /// A pool of `threads` threads (at least 1, at most [`MAX`](Self::MAX)), with a queue as long
    /// and [`WhenFull::AcceptWait`].
    pub fn new(threads: usize) -> Self {
        let threads = threads.clamp(1, Self::MAX);
        let (way_in, jobs) = channel(threads, threads);
        Self {
            threads,
            stack_size: None,
            workers: Workers::default(),
            places: threads,
            balance: Arc::default(),
            jobs,
            way_in,
        }
    }

    /// How many accepted connections may wait for a thread, beyond those that are served; 0 is taken
    /// as 1, more than [`MAX`](Self::MAX) as that. Default: as many as there are threads.
    pub fn queue_size(mut self, places: usize) -> Self {
        self.places = places.clamp(1, Self::MAX);
        (self.way_in, self.jobs) = channel(self.threads, self.places);
        self
    }

    /// The stack of each thread, in bytes. Default: that of [`std::thread`], 2 MiB, of which only
    /// what is touched takes memory.
    pub fn stack_size(mut self, stack_size: usize) -> Self {
        self.stack_size = Some(stack_size);
        self
    }

    /// Makes sure that somebody will come for a job that is put into the queue next. Returns whether
    /// a thread is meant for it; if not, it has to wait until one has finished.
    fn staff(&self) -> io::Result<bool> {
        if self.count_job(|balance| balance > 0) {
            return Ok(true);
        }
        if self.workers.alive() >= self.threads {
            return Ok(false);
        }
        let worker = Worker {
            jobs: self.jobs.clone(),
            balance: Arc::clone(&self.balance),
            workers: self.workers.clone(),
        };
        // One thread more that comes, one job more: the balance stays.
        match self.workers.spawn(self.stack_size, move || worker.work()) {
            Ok(()) => Ok(true),
            // A smaller pool is still a pool.
            Err(_) if self.workers.alive() > 0 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Counts a job in, if the balance `allows` it.
    fn count_job(&self, allows: impl Fn(isize) -> bool) -> bool {
        let count = |balance| allows(balance).then(|| balance - 1);
        self.balance
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count)
            .is_ok()
    }

    /// Whether one more job may wait for a thread to finish.
    fn has_place(&self, balance: isize) -> bool {
        balance.saturating_neg() < isize::try_from(self.places).unwrap_or(isize::MAX)
    }
}

impl Default for ThreadPool {
    /// As many threads as Python's `ThreadPoolExecutor` has by default: one for each processor and
    /// 4 more, at most 32.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new((processors + 4).min(32))
    }
}

impl Strategy for ThreadPool {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        let way_in = self.way_in.lock();
        let Some(queue) = &*way_in else {
            return Err(job.reject(None)); // the server is closed
        };
        match self.staff() {
            Err(error) => return Err(job.reject(Some(error.into()))),
            Ok(true) => {}
            // `wait` saw a free place, which only this thread fills.
            Ok(false) => {
                self.balance.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let sent = queue.send(job).map_err(SendError::into_inner);
        sent.map_err(|job| job.reject(None))
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        if wait.in_worker_loop() {
            return wait.for_request();
        }
        let has_capacity = || self.has_place(self.balance.load(Ordering::SeqCst));
        self.workers.wait(wait, has_capacity)
    }

    fn server_close(&self, grace_period: Duration) {
        // Without a way in, the threads end when the queue is empty.
        self.way_in.lock().take();
        self.workers.wait_until_ended(grace_period);
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::of(self)
    }
}

impl Schedule for ThreadPool {
    fn runs_inline(&self, in_worker_loop: bool) -> bool {
        in_worker_loop
    }

    fn accept_loops(&self, kind: RequestKind) -> usize {
        match kind {
            RequestKind::Datagram => self.threads,
            RequestKind::Connection => 0,
        }
    }

    fn accept_thread_builder(&self) -> thread::Builder {
        builder(self.stack_size)
    }
}

/// A queue for jobs that a thread comes for, which are on their way out again, and for those that wait.
fn channel(threads: usize, places: usize) -> (Mutex<Option<Sender<Job>>>, Receiver<Job>) {
    let (way_in, jobs) = bounded(threads + places);
    (Mutex::new(Some(way_in)), jobs)
}

struct Worker {
    jobs: Receiver<Job>,
    balance: Arc<AtomicIsize>,
    workers: Workers,
}

impl Worker {
    fn work(self) {
        while let Ok(job) = self.next_job() {
            job.run();
            self.balance.fetch_add(1, Ordering::SeqCst);
            self.workers.notify_capacity();
        }
    }

    fn next_job(&self) -> Result<Job, RecvError> {
        match self.jobs.try_recv() {
            Ok(job) => Ok(job),
            Err(_) => parked(|| self.jobs.recv()),
        }
    }
}
