//! Strategies: where each request runs.

mod children;
mod coroutines;
mod forking;
mod sequential;
mod thread_pool;
mod threading;
mod workers;

use std::io;
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

pub use self::children::ChildExit;
#[doc(alias = "gevent")]
#[doc(alias = "greenlet")]
#[doc(alias = "green threads")]
pub use self::coroutines::Coroutines;
pub use self::forking::Forking;
pub use self::sequential::Sequential;
pub use self::thread_pool::{ThreadPool, WhenFull};
pub use self::threading::Threading;

use crate::ServerHandle;
use crate::job::{Job, Rejected};
use crate::server::accept::Place;
use crate::sys::coroutine::Door;
use crate::sys::parked::parked;
use crate::sys::poll::{wait_any_readable, wait_readable};

/// Decides where each request runs: what Python's mix-in classes do.
///
/// | strategy | a request runs | Python |
/// | --- | --- | --- |
/// | [`Sequential`] | in the accept loop, one at a time | the plain server classes |
/// | [`Threading`] | on a thread of its own | `ThreadingMixIn` |
/// | [`ThreadPool`] | on one of a fixed number of threads | nothing in the module; `ThreadPoolExecutor` by hand |
/// | [`Forking`] | in a process of its own | `ForkingMixIn` |
/// | [`Coroutines`] | in a coroutine of its own, many on one thread | nothing in the module; gevent |
///
/// A strategy knows nothing of transports and handlers; it gets a [`Job`] and runs it.
///
/// - **You implement** [`process_request`](Self::process_request), to run requests on an executor
///   of your own.
/// - **You may override** the rest: back-pressure ([`wait`](Self::wait)), several accept loops
///   ([`acceptors`](Self::acceptors)), clean-up.
/// - **The server calls** all of it. `Box<dyn Strategy>` is a strategy too, so that a command line
///   flag can choose one.
/// - **One that wraps another** has to pass on every method: the limit of [`Threading`] is in `wait`, the
///   children of [`Forking`] are in `wait`, `drain` and `interrupt`, those of [`Coroutines`] run in
///   `wait` and `finish_requests`, the threads of all are in `server_close`. Only [`runs_in_place`](Self::runs_in_place) should stay `false`, or the wrapper's
///   `process_request` might not be called.
/// - **One that panics** in `process_request` (or `runs_in_place`) costs that connection: it is closed, and
///   counted as dropped. [`handle_error`](crate::Service::handle_error) is not told;
///   [`Job::reject`] with an error tells it. A panic in `wait`, `acceptors` or `acceptor_thread` is an error
///   that ends `serve_forever`, which can be called again; while the server is closed, those in the queue
///   are served in spite of it. A panic in any other method costs nothing but what that method has not
///   done.
///
/// ```
/// use socketserver::{Job, Rejected, Strategy};
///
/// /// A thread per request, and not a word about limits.
/// struct Detached;
///
/// impl Strategy for Detached {
///     fn process_request(&self, job: Job) -> Result<(), Rejected> {
///         std::thread::spawn(|| job.run());
///         Ok(())
///     }
/// }
/// # let _: Box<dyn Strategy> = Box::new(Detached);
/// ```
#[doc(alias = "mixin")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a strategy",
    label = "does not say where requests run",
    note = "pass `Sequential`, `Threading::new()`, `ThreadPool::new(8)`, `Forking::new()`, \
            `Coroutines::new()`, or a type of your own that implements `Strategy`"
)]
pub trait Strategy: Send + Sync + 'static {
    /// Runs the job, here or elsewhere, now or later; or gives it back
    /// ([`Job::reject`]), and the server closes it. Python: overriding `process_request`.
    fn process_request(&self, job: Job) -> Result<(), Rejected>;

    /// Whether the accept loop should run requests itself, on the spot, instead of passing jobs to
    /// [`process_request`](Self::process_request). It is the same as a `process_request` that does
    /// nothing but run the job, without the cost of making one. `in_own_loop`: the loop is one of
    /// those that the strategy asked for.
    fn runs_in_place(&self, in_own_loop: bool) -> bool {
        let _ = in_own_loop;
        false
    }

    /// How many accept loops `serve_forever` should run, each on a thread of its own. 0, the
    /// default: one, on the thread that called `serve_forever`.
    ///
    /// A strategy whose workers can take requests in themselves asks for as many loops as it has
    /// workers and has each request run right where it was accepted
    /// ([`runs_in_place`](Self::runs_in_place)): a hop to another thread can cost more than the
    /// request.
    fn acceptors(&self, kind: RequestKind) -> usize {
        let _ = kind;
        0
    }

    /// What the threads of these accept loops are made with: the place for a stack size. (They get
    /// names from the server.)
    fn acceptor_thread(&self) -> thread::Builder {
        thread::Builder::new()
    }

    /// Waits for the next request: the place for back-pressure. The default waits with `poll(2)`
    /// ([`Wait::for_request`]). A loop that runs requests in place may take in several datagrams after
    /// one wait.
    ///
    /// # Errors
    ///
    /// An error ends `serve_forever`. So does a panic, as an error.
    fn wait(&self, wait: &Wait<'_>) -> io::Result<Ready> {
        wait.for_request()
    }

    /// The calling thread leaves an accept loop, be it that of `serve_forever` or the one turn of
    /// `handle_request`: it will not wait for requests any more.
    fn leave(&self, wait: &Wait<'_>) {
        let _ = wait;
    }

    /// Whether requests go on on the threads of [`acceptors`](Self::acceptors) when the accept loops
    /// have ended. `serve_forever` then returns without waiting for these threads.
    fn keeps_requests(&self) -> bool {
        false
    }

    /// Called on each thread of [`acceptors`](Self::acceptors) when its accept loop has ended: the place
    /// to run on what is left there. The thread ends when this returns; `server_close` is there to wait
    /// for it.
    fn finish_requests(&self) {}

    /// Called after each request that was taken in, and at least every `poll_interval`.
    fn service_actions(&self) {}

    /// The server is being closed: waits for those requests whose end only the strategy can see, such
    /// as those in other processes, but not longer than `timeout`. The server itself waits for all
    /// others.
    fn drain(&self, timeout: Duration) {
        let _ = timeout;
    }

    /// The grace period is over: ends those requests that the server cannot end by cutting their
    /// connections. [`drain`](Self::drain) is called again after it.
    fn interrupt(&self) {}

    /// The server is closed and no request is running any more, or those that are were given up:
    /// ends the strategy's threads, waiting at most `grace` for them.
    fn server_close(&self, grace: Duration) {
        let _ = grace;
    }
}

impl<M: Strategy + ?Sized> Strategy for Box<M> {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        (**self).process_request(job)
    }

    fn runs_in_place(&self, in_own_loop: bool) -> bool {
        (**self).runs_in_place(in_own_loop)
    }

    fn acceptors(&self, kind: RequestKind) -> usize {
        (**self).acceptors(kind)
    }

    fn acceptor_thread(&self) -> thread::Builder {
        (**self).acceptor_thread()
    }

    fn wait(&self, wait: &Wait<'_>) -> io::Result<Ready> {
        (**self).wait(wait)
    }

    fn leave(&self, wait: &Wait<'_>) {
        (**self).leave(wait);
    }

    fn keeps_requests(&self) -> bool {
        (**self).keeps_requests()
    }

    fn finish_requests(&self) {
        (**self).finish_requests();
    }

    fn service_actions(&self) {
        (**self).service_actions();
    }

    fn drain(&self, timeout: Duration) {
        (**self).drain(timeout);
    }

    fn interrupt(&self) {
        (**self).interrupt();
    }

    fn server_close(&self, grace: Duration) {
        (**self).server_close(grace);
    }
}

/// What a strategy may know about the requests it will run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A conversation, which may take long and mostly waits.
    Connection,
    /// One message, which is here already.
    Message,
}

/// What an accept loop waits for; see [`Strategy::wait`].
#[derive(Debug)]
pub struct Wait<'a> {
    /// Readable when a request is there.
    pub(crate) listener: BorrowedFd<'a>,
    /// Readable when the loop is wanted for something else.
    pub(crate) handle: &'a ServerHandle,
    /// When to give up.
    pub(crate) timeout: Option<Duration>,
    /// A request is likely to be there: trying to take it is cheaper than asking.
    pub(crate) likely: bool,
    /// One is there for certain: it was taken in before.
    pub(crate) taken_in: bool,
    /// Requests cannot be taken in now, for lack of descriptors or memory: they are left alone.
    pub(crate) starved: bool,
    /// Whoever comes is turned away, which takes no room.
    pub(crate) turning_away: bool,
    /// Where the loop runs.
    pub(crate) place: &'a Place,
}

/// How a wait for the next request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// There may be a request.
    Request,
    /// Somebody wants the loop's attention: a stop was asked for, or a [`Notifier`] called.
    Woken,
    /// Neither came in time.
    TimedOut,
}

impl Wait<'_> {
    /// Waits until a request is there, the loop is woken, or the time is over.
    ///
    /// It may say [`Ready::Request`] on a guess, without a system call, right after a request was
    /// taken in; taking the next one then fails harmlessly if there is none.
    ///
    /// # Errors
    ///
    /// What `poll(2)` can say, which is not much.
    pub fn for_request(&self) -> io::Result<Ready> {
        if self.starved {
            return self.for_notification();
        }
        if self.likely || self.taken_in {
            return Ok(Ready::Request);
        }
        let ready = parked(|| match self.place {
            Place::Own(Some(exclusive)) => exclusive.wait_readable(self.timeout),
            _ => wait_readable([self.wake_fd(), self.listener], self.timeout),
        });
        Ok(match ready? {
            [true, _] => Ready::Woken,
            [false, true] => Ready::Request,
            [false, false] => Ready::TimedOut,
        })
    }

    /// Waits until the loop is woken or the time is over, and leaves requests to the kernel's
    /// queue meanwhile: for a strategy that cannot take more right now, and that will call
    /// [`Notifier::notify`] when it can.
    ///
    /// # Errors
    ///
    /// As for [`for_request`](Self::for_request).
    pub fn for_notification(&self) -> io::Result<Ready> {
        let ready = parked(|| wait_readable([self.wake_fd()], self.timeout));
        Ok(match ready? {
            [true] => Ready::Woken,
            [false] => Ready::TimedOut,
        })
    }

    /// Waits for all that: the loop being woken, a request if `has_room`, and for descriptors of the
    /// strategy's, of which it says which are readable.
    fn for_any(
        &self,
        has_room: bool,
        others: &[BorrowedFd<'_>],
        timeout: Option<Duration>,
    ) -> io::Result<(Ready, Vec<bool>)> {
        let has_room = has_room && !self.starved;
        let listener = has_room.then_some(self.listener);
        let fds = others
            .iter()
            .copied()
            .chain([self.wake_fd()])
            .chain(listener);
        let taken_in = has_room && self.taken_in;
        let timeout = if taken_in {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let mut ready = parked(|| wait_any_readable(fds, timeout))?;
        let request = has_room && (ready.pop() == Some(true) || taken_in);
        let woken = ready.pop() == Some(true);
        let outcome = match (woken, request) {
            (true, _) => Ready::Woken,
            (false, true) => Ready::Request,
            (false, false) if ready.contains(&true) => Ready::Woken,
            (false, false) => Ready::TimedOut,
        };
        Ok((outcome, ready))
    }

    /// Whether this is one of the accept loops that the strategy itself asked for
    /// ([`Strategy::acceptors`]).
    pub fn in_own_loop(&self) -> bool {
        self.place.is_own()
    }

    /// What ends a [`for_notification`](Self::for_notification) from another thread. Get it before
    /// looking for the last time whether it is necessary to wait.
    pub fn notifier(&self) -> Notifier {
        Notifier(self.handle.clone())
    }

    /// What to wait for, for those who wait by other means.
    fn door(&self) -> Door<'_> {
        Door {
            listener: self.listener,
            waker: self.wake_fd(),
        }
    }

    fn wake_fd(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.handle.0.waker)
    }
}

/// Wakes the accept loop; see [`Wait::for_notification`].
#[derive(Clone, Debug)]
pub struct Notifier(ServerHandle);

impl Notifier {
    /// Ends the current or, if there is none, the next wait of the accept loop; of one of them, if
    /// the strategy has several.
    pub fn notify(&self) {
        self.0.0.waker.wake();
    }
}
