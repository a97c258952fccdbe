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
use crate::strategy::workers::{Workers, builder};
use crate::strategy::{AcceptWait, Ready, Scheduling, Strategy};
use crate::sys::fork_gate::parked;

/// Runs requests on a fixed number of threads. Python: a `ThreadPoolExecutor` and an override of
/// `process_request`, by hand.
///
/// - **Connections.** The accept loop puts accepted connections into a queue of limited length
///   ([`queue_size`](Self::queue_size)). Each thread serves one connection at a time, to its end. So a
///   client that stays connected occupies a thread: a pool suits short conversations, or clients that
///   a [`timeout`](crate::ServerOptions::timeout) keeps from idling. Threads start when they are first
///   needed and stay until the server is closed.
/// - **Datagrams.** Each thread receives datagrams from the socket and serves them itself, because
///   passing them through a queue costs half of the throughput. The only queue is the buffer of the
///   socket.
/// - **A full queue.** While all threads are busy and the queue is full, the server accepts no
///   connection: they wait in the backlog
///   ([`request_queue_size`](crate::ServerOptions::request_queue_size)).
/// - **If a thread cannot be started**, the pool goes on with the threads that it has. If it has
///   none, the connection is closed and [`handle_error`](crate::Service::handle_error) is called with
///   the reason.
///
/// # Rejecting connections when the queue is full
///
/// [`ServerOptions::max_connections`](crate::ServerOptions::max_connections) with a
/// [`Rejection`](crate::Rejection) makes a full pool reject connections at once. The limit to set is
/// the number of threads plus the queue size. A larger limit is never reached, so that connections
/// wait in the backlog as without it.
///
/// ```
/// use socketserver::prelude::*;
///
/// # let echo = handler_fn(|request: &mut TcpRequest| {
/// #     let line = request.readline(100)?;
/// #     Ok(request.send_all(&line)?)
/// # });
/// let (threads, queue_size) = (8, 16);
/// let server = ThreadPoolTcpServer::options()
///     .max_connections(threads + queue_size)
///     .at_max_connections(Rejection::message("503 busy\r\n"))
///     .bind("127.0.0.1:0", echo)?
///     .strategy(ThreadPool::new(threads).queue_size(queue_size));
/// # let _ = server;
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Debug)]
#[doc(alias = "ThreadPoolExecutor")]
#[doc(alias = "ThreadPoolMixIn")]
pub struct ThreadPool {
    threads: usize,
    queue_size: usize,
    stack_size: Option<usize>,
    workers: Workers,
    /// Number of threads that are ready for a job, minus the number of jobs in the queue. Below zero,
    /// it is the number of jobs that wait until a thread has finished another one.
    balance: Arc<AtomicIsize>,
    receiver: Receiver<Job>,
    /// `None` once the server is closed.
    sender: Mutex<Option<Sender<Job>>>,
}

impl ThreadPool {
    /// Largest number of threads of a pool, and largest size of its queue: 65,536.
    pub const MAX: usize = 1 << 16;

    /// Creates a pool of `threads` threads, with a queue of the same size. 0 counts as 1, and more than
    /// [`MAX`](Self::MAX) as `MAX`.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let strategy = ThreadPool::new(2).queue_size(100).stack_size(256 * 1024);
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.strategy(strategy).spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn new(threads: usize) -> Self {
        let threads = threads.clamp(1, Self::MAX);
        let (sender, receiver) = channel(threads, threads);
        Self {
            threads,
            queue_size: threads,
            stack_size: None,
            workers: Workers::default(),
            balance: Arc::default(),
            receiver,
            sender,
        }
    }

    /// Sets how many accepted connections may wait in the queue for a thread. 0
    /// counts as 1, and more than [`MAX`](Self::MAX) as `MAX`. Default: the number of threads.
    /// (Python's `ThreadPoolExecutor` has no limit.)
    ///
    /// See the [example](Self::new).
    pub fn queue_size(mut self, queue_size: usize) -> Self {
        self.queue_size = queue_size.clamp(1, Self::MAX);
        (self.sender, self.receiver) = channel(self.threads, self.queue_size);
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

    /// Makes a thread ready for the job that is sent next, and counts that job. If all threads are
    /// busy, the job is to wait in the queue.
    fn count_job(&self) -> io::Result<()> {
        if self.reserve_ready_thread() {
            return Ok(());
        }
        if self.workers.alive() < self.threads {
            let worker = Worker {
                receiver: self.receiver.clone(),
                balance: Arc::clone(&self.balance),
                workers: self.workers.clone(),
            };
            match self.workers.spawn(self.stack_size, move || worker.work()) {
                // One more ready thread and one more job leave the balance as it is.
                Ok(()) => return Ok(()),
                // The pool goes on with the threads that it has.
                Err(_) if self.workers.alive() > 0 => {}
                Err(error) => return Err(error),
            }
        }
        // `wait` has seen capacity in the queue, and only the thread of the accept loop fills it.
        self.balance.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    /// Counts a job if a thread is ready for it.
    fn reserve_ready_thread(&self) -> bool {
        let reserve = |balance| (balance > 0).then(|| balance - 1);
        self.balance
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, reserve)
            .is_ok()
    }

    /// Returns whether one more job may wait in the queue.
    fn has_capacity(&self) -> bool {
        let waiting = self.balance.load(Ordering::SeqCst).saturating_neg();
        waiting < isize::try_from(self.queue_size).unwrap_or(isize::MAX)
    }
}

impl Default for ThreadPool {
    /// Creates a pool with the default size of Python's `ThreadPoolExecutor`: one thread for each
    /// processor and 4 more, at most 32.
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::new((processors + 4).min(32))
    }
}

impl Strategy for ThreadPool {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        let sender = self.sender.lock();
        let Some(sender) = &*sender else {
            return Err(job.reject(None)); // the server is closed
        };
        if let Err(error) = self.count_job() {
            return Err(job.reject(Some(error.into())));
        }
        let sent = sender.send(job).map_err(SendError::into_inner);
        sent.map_err(|job| job.reject(None))
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        if wait.in_worker_loop() {
            return wait.for_request();
        }
        self.workers.wait(wait, || self.has_capacity())
    }

    fn server_close(&self, timeout: Duration) {
        // Without a sender, the threads end when the queue is empty.
        self.sender.lock().take();
        self.workers.wait_until_ended(timeout);
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

/// Creates the queue. Its capacity includes one job for each thread: a job for a ready thread passes
/// through the queue, too.
fn channel(threads: usize, queue_size: usize) -> (Mutex<Option<Sender<Job>>>, Receiver<Job>) {
    let (sender, receiver) = bounded(threads + queue_size);
    (Mutex::new(Some(sender)), receiver)
}

/// The state of one worker thread.
struct Worker {
    receiver: Receiver<Job>,
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
        match self.receiver.try_recv() {
            Ok(job) => Ok(job),
            Err(_) => parked(|| self.receiver.recv()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::{Sequential, Threading};

    #[test]
    fn a_pool_wants_several_accept_loops_for_datagrams_only() {
        fn accept_loops(strategy: &dyn Strategy, kind: RequestKind) -> usize {
            strategy.scheduling().accept_loops(kind)
        }
        let pool = ThreadPool::new(7);
        assert_eq!(accept_loops(&pool, RequestKind::Datagram), 7);
        assert_eq!(accept_loops(&pool, RequestKind::Connection), 0);
        assert_eq!(accept_loops(&ThreadPool::new(0), RequestKind::Datagram), 1);
        let boxed: Box<dyn Strategy> = Box::new(pool);
        assert_eq!(accept_loops(&boxed, RequestKind::Datagram), 7);
        assert_eq!(accept_loops(&Threading::new(), RequestKind::Datagram), 0);
        assert_eq!(accept_loops(&Sequential, RequestKind::Datagram), 0);
    }
}
