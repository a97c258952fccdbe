//! A coroutine for every request.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use parking_lot::{Mutex, RwLock};

use crate::accept_error::AcceptErrorKind;
use crate::coroutine::{BlockingPool, Mailbox, Worker, is_coroutine};
use crate::job::{Job, Rejected};
use crate::request::RequestKind;
use crate::state::ServerState;
use crate::strategy::scheduling::Schedule;
use crate::strategy::scheduling::Scheduling;
use crate::strategy::workers::{Alive, Workers};
use crate::strategy::{AcceptWait, Ready, Strategy};

/// Runs each request in a coroutine: a handler that has to wait for its client gives its thread to
/// another one, so that a few threads serve thousands of clients at the backoff of an event loop. Handlers
/// stay as they are, straight-line blocking code. Python: [gevent](https://www.gevent.org).
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
/// - **What waits without a thread**: reading from a request and writing to it, in every form, timeouts
///   included; [`Sender`](crate::Sender)s; [`sleep`](crate::sleep); [`blocking`](crate::blocking).
///   Whatever else a handler waits for holds up its worker, and so all other clients of that worker: a
///   query to a database, [`std::thread::sleep`], a long computation. Wrap these:
///
///   ```
///   # use socketserver::prelude::*;
///   # fn resize_image(image: &[u8]) -> Vec<u8> { image.to_vec() }
///   # fn handle(request: &mut TcpRequest) -> socketserver::Result {
///   let image = request.read_exactly(100_000)?;
///   let small = socketserver::blocking(|| resize_image(&image)); // on another thread, meanwhile others go on
///   request.send_all(&small)?;
///   # Ok(())
///   # }
///   ```
///
///   [`Stats::worker_stalls`](crate::Stats::worker_stalls) counts the times that a worker was held for
///   more than 10 ms; with the `log` feature each is reported, and while it lasts if that is 0.1 s.
/// - **Do not hold a lock while you read or write.** The one who wants it may be on the same thread, which
///   then waits for itself, for ever. The same goes for a `RefCell` in a thread-local that is borrowed
///   over a read or write.
/// - **Workers** are threads, [`workers`](Self::workers) of them. Each accepts for itself, runs the
///   handler right away, and keeps its connections to their end: a coroutine never changes threads, so
///   thread-locals and `Rc`s are what they were after a wait. Among several workers the
///   connections are spread evenly.
/// - **Fairness.** A client that always has more to say is force_closed after 32 reads and writes, and
///   goes on when the others have had their turn.
/// - **Stacks** have a fixed size ([`stack_size`](Self::stack_size)), of which only what was touched takes
///   memory: an idle connection needs about 5 KiB. A handler that needs more stack than there is ends
///   the process with a segmentation fault (there is no way to go on, and no message: put large arrays
///   into a `Vec`, bound your recursion, or ask for larger stacks).
/// - **The cap** ([`max_coroutines`](Self::max_coroutines)) bounds how many requests run at once. While
///   it is reached, clients wait in the kernel's queue.
///
/// It is made for [connections](crate::CoroutineTcpServer). Datagrams can be served with it too, where
/// handlers use [`sleep`](crate::sleep) or [`blocking`](crate::blocking).
///
/// Linux only, because it needs epoll: elsewhere `serve_forever` fails, and says so.
///
/// > **Coming from Python.** Nothing is patched: where gevent makes `time.sleep` and the `socket` module
/// > wait in its way, here the library's own calls do, and the rest is wrapped in
/// > [`blocking`](crate::blocking).
#[derive(Debug)]
#[doc(alias = "gevent")]
#[doc(alias = "greenlet")]
#[doc(alias = "green threads")]
pub struct Coroutines {
    workers: usize,
    stack_size: usize,
    max_coroutines: usize,
    shared: Arc<Shared>,
}

/// What the workers of a strategy have in common.
#[derive(Default)]
struct Shared {
    threads: Workers,
    blocking_pool: BlockingPool,
    /// The workers that accept.
    accept_workers: RwLock<Vec<Arc<Mailbox>>>,
    /// Workers for requests that others have accepted.
    aux_workers: Mutex<Vec<Arc<Mailbox>>>,
    /// Whose requests these are.
    server: OnceLock<Weak<ServerState>>,
}

/// What the thread of a worker knows.
struct Local {
    worker: Rc<Worker>,
    shared: Arc<Shared>,
    /// Which of the others is looked at next.
    next: Cell<usize>,
    /// It runs what others have accepted.
    aux_workers: bool,
    /// Declared last: the thread counts until the rest is gone.
    _alive: Alive,
}

thread_local! {
    static LOCAL: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

impl Coroutines {
    /// The size of stacks, unless told otherwise.
    pub const DEFAULT_STACK_SIZE: usize = 256 * 1024;
    /// The cap on coroutines, unless told otherwise. Each has two mappings in memory, of which Linux
    /// allows a process 65,530 (`vm.max_map_count`).
    pub const DEFAULT_MAX_COROUTINES: usize = 16_384;

    /// A coroutine per request, on as many threads as there are processors.
    pub fn new() -> Self {
        Self {
            workers: thread::available_parallelism().map_or(1, usize::from),
            stack_size: Self::DEFAULT_STACK_SIZE,
            max_coroutines: Self::DEFAULT_MAX_COROUTINES,
            shared: Arc::default(),
        }
    }

    /// How many threads run coroutines; at least 1, at most 1024. Default: one for each processor.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.clamp(1, 1024);
        self
    }

    /// The stack of each coroutine, in bytes, rounded up to whole pages; at least 16 KiB, at most 1 GiB.
    /// Default: 256 KiB, enough for a panic that prints a backtrace.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes.clamp(16 * 1024, 1 << 30);
        self
    }

    /// How many requests may run at the same time, in all workers together; at least one in each.
    /// Default: 16,384.
    #[doc(alias = "gevent.pool.Pool")]
    pub fn max_coroutines(mut self, max_coroutines: usize) -> Self {
        self.max_coroutines = max_coroutines;
        self
    }

    /// The share of one worker in the cap.
    fn share(&self) -> usize {
        self.max_coroutines.div_ceil(self.workers).max(1)
    }

    /// The worker of this thread, which runs one of the accept loops.
    fn local(&self) -> io::Result<Rc<Local>> {
        if let Some(local) = Local::of(&self.shared) {
            return Ok(local);
        }
        let local = Local::begin(&self.shared, self.stack_size, false)?;
        self.shared
            .accept_workers
            .write()
            .push(local.worker.mailbox());
        Ok(local)
    }

    /// Passes a job to a worker that does not accept, hiring one if need be.
    fn pass_on(&self, job: Job) -> Result<(), Rejected> {
        match self.pick_aux_worker() {
            Ok(mailbox) => {
                mailbox.reserve(usize::MAX);
                self.shared.send(&mailbox, job);
                Ok(())
            }
            Err(error) => Err(job.reject(Some(error.into()))),
        }
    }

    /// The aux_workers worker with the fewest coroutines; a new one, if all have some and there may be more.
    fn pick_aux_worker(&self) -> io::Result<Arc<Mailbox>> {
        let mut aux_workers = self.shared.aux_workers.lock();
        let idlest = aux_workers
            .iter()
            .min_by_key(|mailbox| mailbox.live())
            .cloned();
        let may_be_more = aux_workers.len() < self.workers;
        match idlest {
            Some(idlest) if idlest.live() == 0 || !may_be_more => Ok(idlest),
            idlest => match self.start_aux_worker() {
                Ok(new) => {
                    aux_workers.push(Arc::clone(&new));
                    Ok(new)
                }
                // The busy ones have to do.
                Err(error) => idlest.ok_or(error),
            },
        }
    }

    /// A new worker that does not accept.
    fn start_aux_worker(&self) -> io::Result<Arc<Mailbox>> {
        let (begun, begins) = bounded(1);
        let (shared, stack_size) = (Arc::clone(&self.shared), self.stack_size);
        let work = move || match Local::begin(&shared, stack_size, true) {
            Ok(local) => {
                let _ = begun.send(Ok(local.worker.mailbox()));
                local.worker.run();
                Local::end();
            }
            Err(error) => drop(begun.send(Err(error))),
        };
        self.shared.threads.spawn(None, work)?;
        begins
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("a worker thread has panicked")))
    }

    fn aux_workers_have_capacity(&self) -> bool {
        let aux_workers = self.shared.aux_workers.lock();
        aux_workers.len() < self.workers
            || aux_workers
                .iter()
                .any(|mailbox| mailbox.live() < self.share())
    }
}

impl Default for Coroutines {
    fn default() -> Self {
        Self::new()
    }
}

impl Strategy for Coroutines {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        // A coroutine cannot begin another one on top of itself.
        let local = Local::of(&self.shared).filter(|_| !is_coroutine());
        let Some(local) = local else {
            return self.pass_on(job);
        };
        match local.less_busy_than_this() {
            Some(other) => {
                self.shared.send(&other, job);
                Ok(())
            }
            None => local.run(job),
        }
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        if !wait.in_worker_loop() {
            // ConnectionlessRequests may run on the workers that used to accept.
            let below_cap = || wait.handle.0.active() < self.max_coroutines.max(self.workers);
            let has_capacity = || below_cap() && self.aux_workers_have_capacity();
            // Before the request, so that it is not lost for lack of descriptors, which others may give back.
            if self.shared.aux_workers.lock().is_empty()
                && let Err(error) = self.pick_aux_worker()
                && AcceptErrorKind::is_descriptor_exhaustion(&error)
            {
                return Err(error);
            }
            return self.shared.threads.wait(wait, has_capacity);
        }
        let local = self.local()?;
        let has_capacity = wait.rejecting || local.worker.load() < self.share();
        let has_capacity = has_capacity && !wait.starved;
        if has_capacity && wait.already_received {
            return Ok(Ready::Request);
        }
        let found =
            local
                .worker
                .wait(wait.accept_fds(), has_capacity, wait.likely, wait.timeout)?;
        Ok(match (found.woken, found.request) {
            (true, _) => Ready::Woken,
            (false, true) => Ready::Request,
            (false, false) => Ready::TimedOut,
        })
    }

    fn server_close(&self, grace_period: Duration) {
        for mailbox in self.shared.aux_workers.lock().drain(..) {
            mailbox.close();
        }
        self.shared.threads.wait_until_ended(grace_period);
        self.shared.blocking_pool.close(grace_period);
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::of(self)
    }
}

impl Schedule for Coroutines {
    fn accept_loops(&self, _kind: RequestKind) -> usize {
        self.workers
    }

    fn on_accept_loop_exit(&self, wait: &AcceptWait<'_>) {
        let Some(local) = Local::of(&self.shared) else {
            return;
        };
        local.worker.leave(wait.accept_fds());
        let mailbox = local.worker.mailbox();
        self.shared
            .accept_workers
            .write()
            .retain(|other| !Arc::ptr_eq(other, &mailbox));
        mailbox.close();
    }

    fn keeps_requests_after_loop(&self) -> bool {
        true
    }

    fn finish_requests(&self) {
        if let Some(local) = Local::of(&self.shared) {
            local.worker.run();
        }
        Local::end();
    }

    fn service_actions(&self) {
        // Not on a worker, which would only see that it is not held itself.
        if Local::of(&self.shared).is_none() {
            self.shared.report_held_workers();
        }
    }
}

impl Shared {
    /// Has another worker, which was reserved it, run a job; this thread's, if that one is about to end.
    fn send(self: &Arc<Self>, mailbox: &Arc<Mailbox>, job: Job) {
        let (shared, reserved) = (Arc::clone(self), Arc::clone(mailbox));
        let run = move || {
            reserved.release();
            let ran = match Local::of(&shared) {
                Some(local) => local.run(job),
                None => Err(job.reject(None)),
            };
            if let Err(rejected) = ran {
                rejected.close();
            }
            shared.threads.notify_capacity();
        };
        if let Err(run) = mailbox.ask(run) {
            run();
        }
    }

    /// A coroutine has run for so long without waiting.
    fn count_held(&self, held: Duration) {
        if let Some(server_state) = self.server.get().and_then(Weak::upgrade) {
            server_state.counters.count_worker_stall();
        }
        crate::logging::log_event!(
            Warn,
            "a handler has held its worker, and other clients with it, for {held:?} without reading \
             or writing: wrap what takes so long in socketserver::blocking"
        );
    }

    fn report_held_workers(&self) {
        let accept_workers = self.accept_workers.read().clone();
        let aux_workers = self.aux_workers.lock().clone();
        for held in accept_workers
            .iter()
            .chain(&aux_workers)
            .filter_map(|m| m.busy_for())
        {
            // Many short turns of different clients may add up to more than one may take.
            if held > 10 * Worker::STALL {
                crate::logging::log_event!(
                    Warn,
                    "a worker has not come back to its clients for {held:?} by now: a handler neither \
                     reads nor writes, or waits for a lock"
                );
            }
        }
    }
}

impl Local {
    /// How many more connections than another one a worker may have, and an eighth of them on top,
    /// before it passes a new one on: a connection that is served where it was accepted costs less.
    const UNEVEN: usize = 4;
    /// A worker that has not looked for what has come for so long gets no more to do.
    const BUSY: Duration = Duration::from_millis(5);

    /// Makes this thread a worker.
    fn begin(shared: &Arc<Shared>, stack_size: usize, aux_workers: bool) -> io::Result<Rc<Self>> {
        let observer = Arc::downgrade(shared);
        let held = move |held| {
            if let Some(shared) = observer.upgrade() {
                shared.count_held(held);
            }
        };
        let local = Rc::new(Self {
            worker: Worker::new(stack_size, shared.blocking_pool.clone(), held)?,
            shared: Arc::clone(shared),
            next: Cell::new(0),
            aux_workers,
            _alive: shared.threads.enlist(),
        });
        LOCAL.set(Some(Rc::clone(&local)));
        Ok(local)
    }

    fn end() {
        LOCAL.take();
    }

    /// The worker of this thread, if it is one of these.
    fn of(shared: &Arc<Shared>) -> Option<Rc<Self>> {
        LOCAL.with_borrow(|local| {
            local
                .as_ref()
                .filter(|local| Arc::ptr_eq(&local.shared, shared))
                .cloned()
        })
    }

    /// Runs a job here, until it has to wait.
    fn run(&self, job: Job) -> Result<(), Rejected> {
        self.shared
            .server
            .get_or_init(|| Arc::downgrade(job.state()));
        let stack = match self.worker.take_stack() {
            Ok(stack) => stack,
            Err(error) => return Err(job.reject(Some(error.into()))),
        };
        let own = job.descriptor().map(|fd| fd.as_raw_fd());
        let end = self.aux_workers.then(|| self.end_of_request());
        self.worker.start(stack, own, move || {
            job.run();
            if let Some(announce) = end {
                announce();
            }
        });
        Ok(())
    }

    /// What tells those who accept for this worker, when one of its requests has ended, that there is
    /// room: once the worker itself knows it.
    fn end_of_request(&self) -> impl FnOnce() + 'static {
        let (mailbox, shared) = (self.worker.mailbox(), Arc::clone(&self.shared));
        move || {
            let _ = mailbox.ask(move || shared.threads.notify_capacity());
        }
    }

    /// Another worker that has so many fewer connections that the next one is for it. Of several, each
    /// is asked in turn: looking at all of them would cost more than it brings.
    fn less_busy_than_this(&self) -> Option<Arc<Mailbox>> {
        let live = self.worker.live();
        if live <= Self::UNEVEN {
            return None;
        }
        let accept_workers = self.shared.accept_workers.read();
        if accept_workers.len() < 2 {
            return None;
        }
        let next = self.next.get().wrapping_add(1);
        self.next.set(next);
        let other = &accept_workers[next % accept_workers.len()];
        let uneven = live > other.live() + Self::UNEVEN + live / 8;
        let free = || other.busy_for().is_none_or(|busy| busy < Self::BUSY);
        // What it has less than this worker, it has less than its share, too.
        (uneven && free() && other.reserve(live)).then(|| Arc::clone(other))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("threads", &self.threads)
            .field("accept_workers", &self.accept_workers.read().len())
            .field("aux_workers", &self.aux_workers.lock().len())
            .finish_non_exhaustive()
    }
}
