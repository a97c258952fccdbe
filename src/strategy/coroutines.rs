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

use super::workers::{Alive, Workers};
use super::{Ready, RequestKind, Strategy, Wait};
use crate::accept_error::AcceptErrorKind;
use crate::job::{Job, Rejected};
use crate::server::core::Core;
use crate::sys::coroutine::{Mailbox, Offload, Worker, is_coroutine};

/// Runs each request in a coroutine: a handler that has to wait for its client gives its thread to
/// another one, so that a few threads serve thousands of clients at the pace of an event loop. Handlers
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
///   [`Stats::held_workers`](crate::Stats::held_workers) counts the times that a worker was held for
///   more than 10 ms; with the `log` feature each is reported, and while it lasts if that is 0.1 s.
/// - **Do not hold a lock while you read or write.** The one who wants it may be on the same thread, which
///   then waits for itself, for ever. The same goes for a `RefCell` in a thread-local that is borrowed
///   over a read or write.
/// - **Workers** are threads, [`workers`](Self::workers) of them. Each accepts for itself, runs the
///   handler right away, and keeps its connections to their end: a coroutine never changes threads, so
///   thread-locals and `Rc`s are what they were after a wait. Among several workers the
///   connections are spread evenly.
/// - **Fairness.** A client that always has more to say is interrupted after 32 reads and writes, and
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
    offload: Offload,
    /// The workers that accept.
    crew: RwLock<Vec<Arc<Mailbox>>>,
    /// Workers for requests that others have accepted.
    hired: Mutex<Vec<Arc<Mailbox>>>,
    /// Whose requests these are.
    server: OnceLock<Weak<Core>>,
}

/// What the thread of a worker knows.
struct Local {
    worker: Rc<Worker>,
    shared: Arc<Shared>,
    /// Which of the others is looked at next.
    next: Cell<usize>,
    /// It runs what others have accepted.
    hired: bool,
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
        self.shared.crew.write().push(local.worker.mailbox());
        Ok(local)
    }

    /// Passes a job to a worker that does not accept, hiring one if need be.
    fn pass_on(&self, job: Job) -> Result<(), Rejected> {
        match self.hire() {
            Ok(mailbox) => {
                mailbox.promise(usize::MAX);
                self.shared.send(&mailbox, job);
                Ok(())
            }
            Err(error) => Err(job.reject(Some(error.into()))),
        }
    }

    /// The hired worker with the fewest coroutines; a new one, if all have some and there may be more.
    fn hire(&self) -> io::Result<Arc<Mailbox>> {
        let mut hired = self.shared.hired.lock();
        let idlest = hired.iter().min_by_key(|mailbox| mailbox.live()).cloned();
        let may_be_more = hired.len() < self.workers;
        match idlest {
            Some(idlest) if idlest.live() == 0 || !may_be_more => Ok(idlest),
            idlest => match self.begin_hired() {
                Ok(new) => {
                    hired.push(Arc::clone(&new));
                    Ok(new)
                }
                // The busy ones have to do.
                Err(error) => idlest.ok_or(error),
            },
        }
    }

    /// A new worker that does not accept.
    fn begin_hired(&self) -> io::Result<Arc<Mailbox>> {
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

    fn has_room_among_the_hired(&self) -> bool {
        let hired = self.shared.hired.lock();
        hired.len() < self.workers || hired.iter().any(|mailbox| mailbox.live() < self.share())
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

    fn acceptors(&self, _kind: RequestKind) -> usize {
        self.workers
    }

    fn wait(&self, wait: &Wait<'_>) -> io::Result<Ready> {
        if !wait.in_own_loop() {
            // Others may run on the workers that used to accept.
            let below_cap = || wait.handle.0.active() < self.max_coroutines.max(self.workers);
            let has_room = || below_cap() && self.has_room_among_the_hired();
            // Before the request, so that it is not lost for lack of descriptors, which others may give back.
            if self.shared.hired.lock().is_empty()
                && let Err(error) = self.hire()
                && AcceptErrorKind::is_lack_of_descriptors(&error)
            {
                return Err(error);
            }
            return self.shared.threads.wait(wait, has_room);
        }
        let local = self.local()?;
        let has_room = wait.turning_away || local.worker.load() < self.share();
        let has_room = has_room && !wait.starved;
        if has_room && wait.taken_in {
            return Ok(Ready::Request);
        }
        let found = local
            .worker
            .wait(wait.door(), has_room, wait.likely, wait.timeout)?;
        Ok(match (found.woken, found.request) {
            (true, _) => Ready::Woken,
            (false, true) => Ready::Request,
            (false, false) => Ready::TimedOut,
        })
    }

    fn leave(&self, wait: &Wait<'_>) {
        let Some(local) = Local::of(&self.shared) else {
            return;
        };
        local.worker.leave(wait.door());
        let mailbox = local.worker.mailbox();
        self.shared
            .crew
            .write()
            .retain(|other| !Arc::ptr_eq(other, &mailbox));
        mailbox.close();
    }

    fn keeps_requests(&self) -> bool {
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

    fn server_close(&self, grace: Duration) {
        for mailbox in self.shared.hired.lock().drain(..) {
            mailbox.close();
        }
        self.shared.threads.wait_until_ended(grace);
        self.shared.offload.close(grace);
    }
}

impl Shared {
    /// Has another worker, which was promised it, run a job; this thread's, if that one is about to end.
    fn send(self: &Arc<Self>, mailbox: &Arc<Mailbox>, job: Job) {
        let (shared, promised) = (Arc::clone(self), Arc::clone(mailbox));
        let run = move || {
            promised.fulfil();
            let ran = match Local::of(&shared) {
                Some(local) => local.run(job),
                None => Err(job.reject(None)),
            };
            if let Err(rejected) = ran {
                rejected.close();
            }
            shared.threads.announce_room();
        };
        if let Err(run) = mailbox.ask(run) {
            run();
        }
    }

    /// A coroutine has run for so long without waiting.
    fn count_held(&self, held: Duration) {
        if let Some(core) = self.server.get().and_then(Weak::upgrade) {
            core.counters.count_held_worker();
        }
        crate::logging::log_event!(
            Warn,
            "a handler has held its worker, and other clients with it, for {held:?} without reading \
             or writing: wrap what takes so long in socketserver::blocking"
        );
    }

    fn report_held_workers(&self) {
        let crew = self.crew.read().clone();
        let hired = self.hired.lock().clone();
        for held in crew.iter().chain(&hired).filter_map(|m| m.busy_for()) {
            // Many short turns of different clients may add up to more than one may take.
            if held > 10 * Worker::HELD {
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
    fn begin(shared: &Arc<Shared>, stack_size: usize, hired: bool) -> io::Result<Rc<Self>> {
        let observer = Arc::downgrade(shared);
        let held = move |held| {
            if let Some(shared) = observer.upgrade() {
                shared.count_held(held);
            }
        };
        let local = Rc::new(Self {
            worker: Worker::new(stack_size, shared.offload.clone(), held)?,
            shared: Arc::clone(shared),
            next: Cell::new(0),
            hired,
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
            .get_or_init(|| Arc::downgrade(job.core()));
        let stack = match self.worker.take_stack() {
            Ok(stack) => stack,
            Err(error) => return Err(job.reject(Some(error.into()))),
        };
        let own = job.descriptor().map(|fd| fd.as_raw_fd());
        let end = self.hired.then(|| self.end_of_request());
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
            let _ = mailbox.ask(move || shared.threads.announce_room());
        }
    }

    /// Another worker that has so many fewer connections that the next one is for it. Of several, each
    /// is asked in turn: looking at all of them would cost more than it brings.
    fn less_busy_than_this(&self) -> Option<Arc<Mailbox>> {
        let live = self.worker.live();
        if live <= Self::UNEVEN {
            return None;
        }
        let crew = self.shared.crew.read();
        if crew.len() < 2 {
            return None;
        }
        let next = self.next.get().wrapping_add(1);
        self.next.set(next);
        let other = &crew[next % crew.len()];
        let uneven = live > other.live() + Self::UNEVEN + live / 8;
        let free = || other.busy_for().is_none_or(|busy| busy < Self::BUSY);
        // What it has less than this worker, it has less than its share, too.
        (uneven && free() && other.promise(live)).then(|| Arc::clone(other))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("threads", &self.threads)
            .field("crew", &self.crew.read().len())
            .field("hired", &self.hired.lock().len())
            .finish_non_exhaustive()
    }
}
