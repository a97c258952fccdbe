//! A coroutine for each request.

mod worker_set;
mod worker_thread;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::accept_error::AcceptErrorKind;
use crate::coroutine::is_coroutine;
use crate::job::{Job, Rejected};
use crate::request::RequestKind;
use crate::strategy::coroutines::worker_set::WorkerSet;
use crate::strategy::coroutines::worker_thread::WorkerThread;
use crate::strategy::scheduling::{Schedule, Scheduling};
use crate::strategy::{AcceptWait, Ready, Strategy};

/// Runs each request in a coroutine. A handler that waits for its client releases its thread to another
/// handler, so that a few threads serve thousands of clients at the speed of an event loop. Handlers stay
/// straight-line blocking code. Python: [gevent](https://www.gevent.org).
///
/// ```
/// use socketserver::prelude::*;
///
/// let echo = handler_fn(|request: &mut TcpRequest| {
///     while let Some(line) = request.next_line(1000)? {
///         request.send_all(&line)?;
///     }
///     Ok(())
/// });
/// let server = CoroutineTcpServer::bind("127.0.0.1:0", echo)?.spawn()?;
/// # let mut client = std::net::TcpStream::connect(server.server_address())?;
/// # client.write_all(b"hello\n")?;
/// # let mut answer = [0; 6];
/// # client.read_exact(&mut answer)?;
/// # assert_eq!(&answer, b"hello\n");
/// # drop(client);
/// # Ok::<(), BoxError>(())
/// ```
///
/// - **Waits that release the thread**: every read from a request and every write to it, timeouts
///   included; writes of [`Sender`](crate::Sender)s; [`sleep`](crate::sleep);
///   [`blocking`](crate::blocking). Every other wait, such as a database query,
///   [`std::thread::sleep`] or a long computation, blocks the worker, and therefore all clients of this
///   worker. Wrap such calls:
///
///   ```
///   # use socketserver::prelude::*;
///   # fn resize_image(image: &[u8]) -> Vec<u8> { image.to_vec() }
///   # fn handle(request: &mut TcpRequest) -> socketserver::Result {
///   let image = request.read_exactly(100_000)?;
///   let small = socketserver::blocking(|| resize_image(&image)); // on another thread
///   request.send_all(&small)?;
///   # Ok(())
///   # }
///   ```
///
///   [`Stats::worker_stalls`](crate::Stats::worker_stalls) counts how often handlers have blocked a
///   worker for more than 10 ms. With the `log` feature, each stall is logged when it ends, and a stall
///   of more than 0.1 s also while it lasts.
/// - **Do not hold a lock over a read or write.** Another handler on the same thread may need the lock.
///   The thread then waits for itself, for ever. A `RefCell` in a thread-local must not stay borrowed
///   over a read or write either, because the second borrow panics.
/// - **Workers** are threads; [`workers`](Self::workers) sets their number. Each worker accepts
///   connections, starts their handlers at once, and keeps most of them. If another worker has clearly
///   fewer connections, that worker gets the next one. A coroutine never moves to another thread.
///   Therefore thread-locals and `Rc`s are the same before and after a wait.
/// - **Fairness.** After 32 reads and writes without a wait, a handler is suspended until the other
///   handlers of its worker that are ready have run.
/// - **Stacks** have a fixed size ([`stack_size`](Self::stack_size)), and only the pages that were touched
///   use memory: an idle connection needs about 5 KiB. If a handler needs more stack, the process ends
///   with a segmentation fault and without a message. Put large arrays into a `Vec`, bound your
///   recursion, or set a larger stack size.
/// - **The limit** ([`max_coroutines`](Self::max_coroutines)) bounds how many requests run at once. While
///   it is reached, connections wait in the backlog.
///
/// The strategy is made for [connections](crate::CoroutineTcpServer). It also serves datagrams, which is
/// useful if their handlers call [`sleep`](crate::sleep) or [`blocking`](crate::blocking).
///
/// On Linux, a worker waits with epoll. On other systems, it waits with `poll(2)`, which takes time in
/// proportion to the number of clients. On processors for which there are no coroutines, such as s390x,
/// `serve_forever` returns an error.
///
/// > **Coming from Python.** Nothing is monkey-patched. gevent replaces `time.sleep` and the `socket`
/// > module. Here, the calls of this library wait without a thread, and other calls are wrapped in
/// > [`blocking`](crate::blocking).
#[derive(Debug)]
#[doc(alias = "gevent")]
#[doc(alias = "greenlet")]
#[doc(alias = "green threads")]
pub struct Coroutines {
    workers: usize,
    stack_size: usize,
    max_coroutines: usize,
    worker_set: Arc<WorkerSet>,
}

impl Coroutines {
    /// Default of [`stack_size`](Self::stack_size), in bytes: 256 KiB.
    pub const DEFAULT_STACK_SIZE: usize = 256 * 1024;
    /// Default of [`max_coroutines`](Self::max_coroutines). Each coroutine has two memory mappings, and
    /// Linux allows 65,530 in a process (`vm.max_map_count`).
    pub const DEFAULT_MAX_COROUTINES: usize = 16_384;

    /// Makes the strategy with a worker for each processor, and the other defaults.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// # if !cfg!(target_os = "linux") {
    /// #     return Ok::<(), BoxError>(());
    /// # }
    /// let strategy = Coroutines::new().workers(2).stack_size(128 * 1024).max_coroutines(1000);
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.strategy(strategy).spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn new() -> Self {
        Self {
            workers: thread::available_parallelism().map_or(1, usize::from),
            stack_size: Self::DEFAULT_STACK_SIZE,
            max_coroutines: Self::DEFAULT_MAX_COROUTINES,
            worker_set: Arc::default(),
        }
    }

    /// Number of threads that run coroutines, from 1 to 1024; other values are clamped to this range.
    /// Default: one for each processor. gevent: one.
    ///
    /// See the [example](Self::new).
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.clamp(1, 1024);
        self
    }

    /// Size of the stack of each coroutine in bytes, rounded up to whole pages, from 16 KiB to 1 GiB;
    /// other values are clamped to this range. Default: 256 KiB, which is enough for a panic that prints a
    /// backtrace.
    ///
    /// See the [example](Self::new).
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes.clamp(16 * 1024, 1 << 30);
        self
    }

    /// Number of requests that may run at once, in all workers together; at least one in each worker.
    /// Default: 16,384. gevent: no limit.
    ///
    /// See the [example](Self::new).
    #[doc(alias = "gevent.pool.Pool")]
    pub fn max_coroutines(mut self, max_coroutines: usize) -> Self {
        self.max_coroutines = max_coroutines;
        self
    }

    /// Number of requests that may run at once in one worker.
    fn max_per_worker(&self) -> usize {
        self.max_coroutines.div_ceil(self.workers).max(1)
    }

    /// Returns the worker of this thread, which runs an accept loop. Makes it in the first call.
    fn accept_worker(&self) -> io::Result<Rc<WorkerThread>> {
        match WorkerThread::current(&self.worker_set) {
            Some(worker_thread) => Ok(worker_thread),
            None => WorkerThread::enter_accept_loop(&self.worker_set, self.stack_size),
        }
    }

    fn run_on_aux_worker(&self, job: Job) -> Result<(), Rejected> {
        match self
            .worker_set
            .pick_aux_worker(self.workers, self.stack_size)
        {
            Ok(mailbox) => {
                mailbox.reserve(usize::MAX);
                self.worker_set.send(&mailbox, job);
                Ok(())
            }
            Err(error) => Err(job.reject(Some(error.into()))),
        }
    }

    /// Waits for a request in an accept loop that does not run on a worker.
    fn wait_outside_workers(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        // Counts all requests, because those of an earlier `serve_forever` may still run on the workers
        // that accepted then.
        let is_below_limit = || wait.handle.0.active() < self.max_coroutines.max(self.workers);
        let aux_workers_have_capacity = || {
            self.worker_set
                .aux_workers_have_capacity(self.workers, self.max_per_worker())
        };
        // Starts the first worker before the request is accepted. If descriptors are exhausted, the
        // request stays in the backlog until some are free.
        if !self.worker_set.has_aux_workers()
            && let Err(error) = self
                .worker_set
                .pick_aux_worker(self.workers, self.stack_size)
            && AcceptErrorKind::is_descriptor_exhaustion(&error)
        {
            return Err(error);
        }
        self.worker_set
            .threads
            .wait(wait, || is_below_limit() && aux_workers_have_capacity())
    }
}

impl Default for Coroutines {
    fn default() -> Self {
        Self::new()
    }
}

impl Strategy for Coroutines {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        // A coroutine cannot start another one on top of itself.
        let current = WorkerThread::current(&self.worker_set).filter(|_| !is_coroutine());
        let Some(current) = current else {
            return self.run_on_aux_worker(job);
        };
        match current.less_loaded_worker() {
            Some(other) => {
                self.worker_set.send(&other, job);
                Ok(())
            }
            None => current.run(job),
        }
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        if !wait.in_worker_loop() {
            return self.wait_outside_workers(wait);
        }
        let worker_thread = self.accept_worker()?;
        let worker = &worker_thread.worker;
        let has_capacity =
            (wait.rejecting || worker.load() < self.max_per_worker()) && !wait.starved;
        if has_capacity && wait.already_received {
            return Ok(Ready::Request);
        }
        let events =
            worker.wait_for_request(wait.accept_fds(), has_capacity, wait.likely, wait.timeout)?;
        Ok(match (events.woken, events.request) {
            (true, _) => Ready::Woken,
            (false, true) => Ready::Request,
            (false, false) => Ready::TimedOut,
        })
    }

    fn server_close(&self, grace_period: Duration) {
        self.worker_set.close(grace_period);
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::of(self)
    }
}

impl Schedule for Coroutines {
    fn waits_cheaply(&self) -> bool {
        true
    }

    fn accept_loops(&self, _kind: RequestKind) -> usize {
        self.workers
    }

    fn on_accept_loop_exit(&self, wait: &AcceptWait<'_>) {
        if let Some(worker_thread) = WorkerThread::current(&self.worker_set) {
            worker_thread.leave_accept_loop(wait.accept_fds());
        }
    }

    fn keeps_requests_after_loop(&self) -> bool {
        true
    }

    fn finish_requests(&self) {
        if let Some(worker_thread) = WorkerThread::current(&self.worker_set) {
            worker_thread.worker.run();
        }
        WorkerThread::exit();
    }

    fn service_actions(&self) {
        // Skipped on workers. The thread that called `serve_forever` logs the stalls of all of them every
        // `poll_interval`.
        if WorkerThread::current(&self.worker_set).is_none() {
            self.worker_set.log_stalled_workers();
        }
    }
}
