//! Strategies: where each request runs.

#[cfg(unix)]
mod child_exit;
#[cfg(unix)]
mod children;
mod coroutines;
#[cfg(unix)]
mod forking;
mod scheduling;
mod sequential;
mod thread_pool;
mod threading;
mod wait;
mod workers;

use std::io;
use std::time::Duration;

#[cfg(unix)]
pub use self::child_exit::ChildExit;
#[doc(alias = "gevent")]
#[doc(alias = "greenlet")]
#[doc(alias = "green threads")]
pub use self::coroutines::Coroutines;
#[cfg(unix)]
pub use self::forking::Forking;
pub use self::scheduling::Scheduling;
pub use self::sequential::Sequential;
pub use self::thread_pool::ThreadPool;
pub use self::threading::Threading;
pub use self::wait::{AcceptWait, Notifier, Ready};

pub(crate) use self::wait::LoopThread;

use crate::job::{Job, Rejected};

/// Decides where each request runs: what Python's mix-in classes do.
///
/// | strategy | a request runs | choose it if | Python |
/// | --- | --- | --- | --- |
/// | [`Sequential`] | in the accept loop, one at a time | requests are short, or one at a time is intended; plain UDP | the plain server classes |
/// | [`Threading`] | on a thread of its own | there are hundreds of clients; handlers may block in any way | `ThreadingMixIn` |
/// | [`ThreadPool`] | on one of a fixed number of threads | many short requests, with a limit on how many run; UDP on several processors | nothing in the module; `ThreadPoolExecutor` by hand |
/// | [`Forking`] | in a process of its own | a handler may crash, leak, or change the whole process | `ForkingMixIn` |
/// | [`Coroutines`] | in a coroutine of its own, many on one thread | there are thousands of clients, most of them idle | nothing in the module; gevent |
///
/// A strategy knows neither transports nor handlers: it gets a [`Job`] and runs it.
///
/// - **You implement** [`process_request`](Self::process_request), to run requests on an executor
///   of your own.
/// - **You may override** [`wait`](Self::wait) for back-pressure and
///   [`server_close`](Self::server_close) to end threads.
/// - **The server calls** all methods. `Box<dyn Strategy>` is a strategy too, so that a command line
///   flag can choose one.
/// - **A strategy that wraps another** passes on every method, and returns
///   `self.inner.scheduling().wrapped()` from [`scheduling`](Self::scheduling).
/// - **A panic** in `process_request` costs that request: its connection is closed, and it is counted
///   as dropped. [`handle_error`](crate::Service::handle_error) is not called; [`Job::reject`] with an
///   error calls it. A panic in `wait` ends `serve_forever` with an error, after which it can be called
///   again. While the server closes, connections in the backlog are served in spite of such an error.
///   A panic in `server_close` is caught.
///
/// ```
/// use socketserver::{Job, Rejected, Strategy};
///
/// /// A thread for each request, without a limit.
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
    /// Runs the job, on this thread or elsewhere, now or later. A job that cannot run is returned with
    /// [`Job::reject`], and the server closes its connection. Python: overriding `process_request`.
    ///
    /// See the [example](Self).
    fn process_request(&self, job: Job) -> Result<(), Rejected>;

    /// Waits for the next request. Back-pressure belongs here: a strategy without capacity waits with
    /// [`AcceptWait::for_notification`]. The default is [`AcceptWait::for_request`].
    ///
    /// ```
    /// use socketserver::prelude::*;
    /// use socketserver::strategy::{AcceptWait, Notifier, Ready};
    /// use socketserver::{Job, Rejected};
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use std::sync::{Arc, OnceLock};
    /// use std::{io, thread, time::Duration};
    ///
    /// /// One request at a time, on another thread.
    /// #[derive(Default)]
    /// struct One {
    ///     busy: Arc<AtomicBool>,
    ///     notifier: Arc<OnceLock<Notifier>>,
    /// }
    ///
    /// impl Strategy for One {
    ///     fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
    ///         self.notifier.get_or_init(|| wait.notifier());
    ///         match self.busy.load(Ordering::SeqCst) {
    ///             true => wait.for_notification(),
    ///             false => wait.for_request(),
    ///         }
    ///     }
    ///
    ///     fn process_request(&self, job: Job) -> std::result::Result<(), Rejected> {
    ///         self.busy.store(true, Ordering::SeqCst);
    ///         let (busy, notifier) = (Arc::clone(&self.busy), Arc::clone(&self.notifier));
    ///         thread::spawn(move || {
    ///             job.run();
    ///             busy.store(false, Ordering::SeqCst);
    ///             if let Some(notifier) = notifier.get() {
    ///                 notifier.notify();
    ///             }
    ///         });
    ///         Ok(())
    ///     }
    ///
    ///     fn server_close(&self, _timeout: Duration) {} // no thread outlives its request
    /// }
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.strategy(One::default()).spawn()?;
    /// for _ in 0..3 {
    ///     let client = std::net::TcpStream::connect(server.server_address())?;
    ///     assert_eq!(std::io::read_to_string(client)?, "hi");
    /// }
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An error is treated as an error of the listening socket:
    /// [`AcceptErrorKind`](crate::AcceptErrorKind) says which errors end `serve_forever`. An error without
    /// an error number, such as one from [`io::Error::other`], does. So does a panic.
    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        wait.for_request()
    }

    /// Ends the threads of the strategy and waits for them, at most `timeout`. The server calls this
    /// when it is closed, after its last request has ended or was abandoned, and with a zero timeout
    /// when [`Server::strategy`](crate::Server::strategy) replaces the strategy.
    ///
    /// See the [example](Self::wait).
    fn server_close(&self, timeout: Duration) {
        let _ = timeout;
    }

    /// Returns what the strategies of this crate arrange with the server beyond these methods: several
    /// accept loops, requests in child processes. A strategy of your own keeps the default. A strategy
    /// that wraps another returns `self.inner.scheduling().wrapped()`.
    ///
    /// See the [example](Scheduling::wrapped).
    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::default()
    }
}

impl<M: Strategy + ?Sized> Strategy for Box<M> {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        (**self).process_request(job)
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        (**self).wait(wait)
    }

    fn server_close(&self, timeout: Duration) {
        (**self).server_close(timeout);
    }

    fn scheduling(&self) -> Scheduling<'_> {
        (**self).scheduling()
    }
}
