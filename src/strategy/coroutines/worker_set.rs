//! The workers of one strategy.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crossbeam_channel::bounded;
use parking_lot::{Mutex, RwLock};

use crate::coroutine::{BlockingPool, Mailbox, Worker};
use crate::job::Job;
use crate::logging::log_event;
use crate::state::ServerState;
use crate::strategy::coroutines::worker_thread::WorkerThread;
use crate::strategy::workers::Workers;

/// The workers of a [`Coroutines`](crate::Coroutines), seen from all threads.
#[derive(Default)]
pub(super) struct WorkerSet {
    pub(super) threads: Workers,
    pub(super) blocking_pool: BlockingPool,
    /// Workers that run an accept loop.
    pub(super) accept_workers: RwLock<Vec<Arc<Mailbox>>>,
    /// Workers that only run requests which other threads have accepted.
    aux_workers: Mutex<Vec<Arc<Mailbox>>>,
    /// The server whose requests these are. Set by the first request.
    server: OnceLock<Weak<ServerState>>,
}

impl WorkerSet {
    /// Returns the aux worker with the lowest load. Starts a new one if all have coroutines and there
    /// are fewer than `max_workers`.
    ///
    /// # Errors
    ///
    /// There is no aux worker, and none can be started.
    pub(super) fn pick_aux_worker(
        self: &Arc<Self>,
        max_workers: usize,
        stack_size: usize,
    ) -> io::Result<Arc<Mailbox>> {
        let mut aux_workers = self.aux_workers.lock();
        let least_loaded = aux_workers
            .iter()
            .min_by_key(|mailbox| mailbox.load())
            .cloned();
        let may_start_worker = aux_workers.len() < max_workers;
        match least_loaded {
            Some(mailbox) if mailbox.load() == 0 || !may_start_worker => Ok(mailbox),
            least_loaded => match self.start_aux_worker(stack_size) {
                Ok(mailbox) => {
                    aux_workers.push(Arc::clone(&mailbox));
                    Ok(mailbox)
                }
                Err(error) => least_loaded.ok_or(error),
            },
        }
    }

    fn start_aux_worker(self: &Arc<Self>, stack_size: usize) -> io::Result<Arc<Mailbox>> {
        let (sender, receiver) = bounded(1);
        let worker_set = Arc::clone(self);
        let work = move || match WorkerThread::enter(&worker_set, stack_size, true) {
            Ok(worker_thread) => {
                let _ = sender.send(Ok(worker_thread.worker.mailbox()));
                worker_thread.worker.run();
                WorkerThread::exit();
            }
            Err(error) => drop(sender.send(Err(error))),
        };
        self.threads.spawn(None, work)?;
        receiver
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("a worker thread panicked at its start")))
    }

    pub(super) fn has_aux_workers(&self) -> bool {
        !self.aux_workers.lock().is_empty()
    }

    /// Returns whether an aux worker has capacity, or another one may be started.
    pub(super) fn aux_workers_have_capacity(
        &self,
        max_workers: usize,
        max_per_worker: usize,
    ) -> bool {
        let aux_workers = self.aux_workers.lock();
        aux_workers.len() < max_workers
            || aux_workers
                .iter()
                .any(|mailbox| mailbox.load() < max_per_worker)
    }

    /// Sends a job to another worker, which has a reservation for it. If this worker is about to end,
    /// the current thread runs the job.
    pub(super) fn send(self: &Arc<Self>, mailbox: &Arc<Mailbox>, job: Job) {
        let (worker_set, reserved) = (Arc::clone(self), Arc::clone(mailbox));
        let run = move || {
            reserved.release();
            let started = match WorkerThread::current(&worker_set) {
                Some(worker_thread) => worker_thread.run(job),
                None => Err(job.reject(None)),
            };
            if let Err(rejected) = started {
                rejected.close();
            }
            worker_set.threads.notify_capacity();
        };
        if let Err(run) = mailbox.submit(run) {
            run();
        }
    }

    /// Records the server whose requests these are.
    pub(super) fn set_server(&self, job: &Job) {
        self.server.get_or_init(|| Arc::downgrade(job.state()));
    }

    /// Counts and logs that a worker was blocked.
    pub(super) fn record_stall(&self, duration: Duration) {
        if let Some(server) = self.server.get().and_then(Weak::upgrade) {
            server.counters.count_worker_stall();
        }
        log_event!(
            Warn,
            "a handler blocked its worker, and the other clients of this worker, for {duration:?} \
             without reading or writing: wrap such calls in socketserver::blocking"
        );
    }

    /// Logs workers that are blocked now.
    pub(super) fn log_stalled_workers(&self) {
        let accept_workers = self.accept_workers.read().clone();
        let aux_workers = self.aux_workers.lock().clone();
        let workers = accept_workers.iter().chain(&aux_workers);
        for busy in workers.filter_map(|mailbox| mailbox.busy_for()) {
            // Not `STALL`, because a worker can be busy for longer than that with many coroutines,
            // each of which runs for a short time.
            if busy > 10 * Worker::STALL {
                log_event!(
                    Warn,
                    "a worker has not polled its clients for {busy:?}: a handler neither reads nor \
                     writes, or waits for a lock"
                );
            }
        }
    }

    /// Ends the threads when they have no request left, and waits for this, at most `grace_period` for
    /// the workers and the same for the threads of blocking calls.
    pub(super) fn close(&self, grace_period: Duration) {
        for mailbox in self.aux_workers.lock().drain(..) {
            mailbox.close();
        }
        self.threads.wait_until_ended(grace_period);
        self.blocking_pool.close(grace_period);
    }
}

impl fmt::Debug for WorkerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerSet")
            .field("threads", &self.threads)
            .field("accept_workers", &self.accept_workers.read().len())
            .field("aux_workers", &self.aux_workers.lock().len())
            .finish_non_exhaustive()
    }
}
