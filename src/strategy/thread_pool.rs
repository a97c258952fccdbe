//! A fixed number of threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvError, SendError, Sender, TrySendError, bounded};
use parking_lot::Mutex;

use super::workers::{Workers, builder};
use super::{Ready, RequestKind, Strategy, Wait};
use crate::job::{Job, Rejected};
use crate::sys::parked::parked;

/// Runs requests on a fixed number of threads. Python: a `ThreadPoolExecutor` and an override of
/// `process_request`, by hand.
///
/// - **Connections**: the accept loop puts them into a bounded [`queue`](Self::queue); each thread
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
    when_full: WhenFull,
    stack_size: Option<usize>,
    workers: Workers,
    /// How many threads will come for a job without being sent for: those that wait, less the jobs
    /// that are meant for them.
    available: Arc<AtomicIsize>,
    jobs: Receiver<Queued>,
    /// The other end of the queue, until the server is closed.
    way_in: Mutex<Option<Sender<Queued>>>,
}

/// What a [`ThreadPool`] does with a connection for which its queue has no place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Accept no more until there is a place. Clients wait in the kernel's queue
    /// ([`request_queue_size`](crate::ServerOptions::request_queue_size)); nobody is turned away
    /// until that is full too.
    #[default]
    Wait,
    /// Accept, send these bytes (none, if empty), and close in order: an overloaded server that
    /// answers at once.
    Refuse(Vec<u8>),
}

impl ThreadPool {
    /// The most threads, and the most places in the queue, that a pool can have.
    pub const MAX: usize = 1 << 16;

    /// A pool of `threads` threads (at least 1, at most [`MAX`](Self::MAX)), with a queue as long
    /// and [`WhenFull::Wait`].
    pub fn new(threads: usize) -> Self {
        let threads = threads.clamp(1, Self::MAX);
        let (way_in, jobs) = bounded(threads);
        Self {
            threads,
            when_full: WhenFull::Wait,
            stack_size: None,
            workers: Workers::default(),
            available: Arc::default(),
            jobs,
            way_in: Mutex::new(Some(way_in)),
        }
    }

    /// How many accepted connections may wait for a thread, beyond those that are served; 0 is taken
    /// as 1, more than [`MAX`](Self::MAX) as that. Default: as many as there are threads.
    pub fn queue(mut self, places: usize) -> Self {
        let (way_in, jobs) = bounded(places.clamp(1, Self::MAX));
        self.jobs = jobs;
        self.way_in = Mutex::new(Some(way_in));
        self
    }

    /// What to do with a connection when the queue is full. Default: [`WhenFull::Wait`].
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
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
        let claim = |available: isize| (available > 0).then(|| available - 1);
        if self
            .available
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, claim)
            .is_ok()
        {
            return Ok(true);
        }
        if self.workers.alive() >= self.threads {
            return Ok(false);
        }
        let worker = Worker {
            jobs: self.jobs.clone(),
            available: Arc::clone(&self.available),
            workers: self.workers.clone(),
        };
        match self.workers.spawn(self.stack_size, move || worker.work()) {
            Ok(()) => Ok(true),
            // A smaller pool is still a pool.
            Err(_) if self.workers.alive() > 0 => Ok(false),
            Err(error) => Err(error),
        }
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
        let claimed = match self.staff() {
            Ok(claimed) => claimed,
            Err(error) => return Err(job.reject(Some(error.into()))),
        };
        let way_in = self.way_in.lock();
        let Some(queue) = &*way_in else {
            return Err(job.reject(None)); // the server is closed
        };
        let queued = Queued { job, claimed };
        let sent = match &self.when_full {
            // Nobody comes for it soon: it needs a place to wait.
            WhenFull::Refuse(farewell) if !claimed => match queue.try_send(queued) {
                Err(TrySendError::Full(queued)) => {
                    return Err(queued.job.reject(None).farewell(farewell.clone()));
                }
                sent => sent.map_err(TrySendError::into_inner),
            },
            // A thread is on its way to it, or `wait` saw a place, which only this thread fills.
            _ => queue.send(queued).map_err(SendError::into_inner),
        };
        sent.map_err(|queued| queued.job.reject(None))
    }

    fn runs_in_place(&self, in_own_loop: bool) -> bool {
        in_own_loop
    }

    fn acceptors(&self, kind: RequestKind) -> usize {
        match kind {
            RequestKind::Message => self.threads,
            RequestKind::Connection => 0,
        }
    }

    fn acceptor_thread(&self) -> thread::Builder {
        builder(self.stack_size)
    }

    fn wait(&self, wait: &Wait<'_>) -> io::Result<Ready> {
        if wait.in_own_loop() {
            return wait.for_request();
        }
        let has_room = || self.when_full != WhenFull::Wait || !self.jobs.is_full();
        self.workers.wait(wait, has_room)
    }

    fn server_close(&self, grace: Duration) {
        // Without a way in, the threads end when the queue is empty.
        self.way_in.lock().take();
        self.workers.wait_until_ended(grace);
    }
}

/// A job in the queue.
struct Queued {
    job: Job,
    /// Whether a thread was meant for it when it was put there.
    claimed: bool,
}

struct Worker {
    jobs: Receiver<Queued>,
    available: Arc<AtomicIsize>,
    workers: Workers,
}

impl Worker {
    fn work(self) {
        // The job that this thread was started for is claimed.
        while let Ok(Queued { job, claimed }) = self.next_job() {
            if !claimed {
                self.available.fetch_sub(1, Ordering::SeqCst);
            }
            self.workers.announce_room();
            job.run();
            self.available.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn next_job(&self) -> Result<Queued, RecvError> {
        match self.jobs.try_recv() {
            Ok(job) => Ok(job),
            Err(_) => parked(|| self.jobs.recv()),
        }
    }
}
