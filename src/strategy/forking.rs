//! A child process for each request.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::job::{Job, Rejected};
use crate::request::ensure_read_buffer;
use crate::state::counters::Outcome;
use crate::strategy::children::{Children, Forked, ReapSummary, Snapshot};
use crate::strategy::scheduling::Schedule;
use crate::strategy::{AcceptWait, ChildExit, Ready, Scheduling, Strategy};
use crate::sys::child_process::TerminationSignal;
use crate::sys::fork::{Exit, Permission};

/// How long no request must arrive before an exit of a child may wake the loop. Until then, exited
/// children are reaped between requests, which saves a pidfd and a wake-up for each.
const QUIET_TIME: Duration = Duration::from_millis(5);
/// Part of the force-close timeout that children have to end after SIGTERM. The rest is for reaping
/// children that are killed after it.
const SIGTERM_SHARE: f64 = 0.7;

/// Runs each request in a child process of its own. Python: `ForkingMixIn`.
///
/// A child process is a copy of the server process, made by `fork(2)` when its request has been
/// accepted. It sees the server's memory as it was at that moment. What the child changes in memory
/// reaches neither the server nor other requests. A handler that crashes, leaks memory or is killed
/// ends only its own child process.
///
/// ```no_run
/// use socketserver::prelude::*;
///
/// let pid = handler_fn(|request: &mut TcpRequest| {
///     Ok(writeln!(request, "served by process {}", std::process::id())?)
/// });
/// let server = ForkingTcpServer::bind("127.0.0.1:9999", pid)?;
/// server.shutdown_on_ctrl_c()?;
/// server.serve_forever()?;
/// # Ok::<(), BoxError>(())
/// ```
///
/// # What a handler can use
///
/// The handler runs on the only thread of its process: the server's other threads do not exist there.
/// Open files, and the socket of a datagram server, are shared with the server process. The listening
/// socket is not: the child does not have it. Every server of the process is a copy, of which
/// a [`ServerHandle`](crate::ServerHandle) can do this:
///
/// | call in a child | effect |
/// | --- | --- |
/// | [`shutdown`](crate::ServerHandle::shutdown) | stops the server in the parent process |
/// | [`stats`](crate::ServerHandle::stats) | returns the counts at the moment of the fork |
/// | [`requests`](crate::ServerHandle::requests), [`broadcast`](crate::ServerHandle::broadcast) | return an empty list and send nothing |
/// | [`wait`](crate::ServerHandle::wait), [`wait_until_idle`](crate::ServerHandle::wait_until_idle) | return `false` at once |
///
/// A [`Sender`](crate::Sender) to another client of the server fails with `NotConnected`, because
/// the connection belongs to another child.
///
/// # How a child ends
///
/// Errors and panics of the handler are passed to [`handle_error`](crate::Service::handle_error) in
/// the child. Then the child flushes standard output and exits: with code 0 if the handler succeeded,
/// and with 1 if not. It exits by `_exit(2)`, so that destructors and `atexit` functions of the server
/// process do not run in it.
///
/// In the parent, [`on_child_exit`](Self::on_child_exit) is called, and
/// [`Stats`](crate::Stats) counts the request:
///
/// | end of the child | counted as |
/// | --- | --- |
/// | exit code 0 | completed |
/// | another exit code, or a signal that is not in the next row | failed |
/// | SIGINT, SIGTERM or SIGHUP; SIGKILL while the server closes | force-closed |
/// | unknown, because other code of the program waited for the process | dropped |
///
/// # Signals
///
/// SIGINT, SIGTERM and SIGHUP end a child at once, without
/// [`finish`](crate::RequestHandler::finish), even if the server process handles or blocks them.
/// A SIGHUP that the server process ignores stays ignored, because `nohup` relies on that. (In Python, a
/// child keeps the signal handlers of its parent.)
///
/// The server sends signals to its children only. Processes that a handler has started get none from
/// it. Ctrl-C in a terminal is different: the terminal sends SIGINT to the server, its children and the
/// processes that they have started.
///
/// The second signal under [`shutdown_on_ctrl_c`](crate::Server::shutdown_on_ctrl_c) ends the server
/// process at once. It sends no signal to running children, which go on without it.
///
/// # Limit
///
/// While [`max_children`](Self::max_children) children are running (default 40, as in Python), the
/// server accepts no connection: they wait in the backlog. A stop takes effect meanwhile. To reject
/// connections instead, set [`max_connections`](crate::ServerOptions::max_connections) to the same
/// number, with a [`Rejection`](crate::Rejection).
///
/// # Reaping
///
/// While the server serves, it reaps children as they exit, a few milliseconds later at most. Children
/// that exit at another time are reaped by the next `serve_forever` or `handle_request`, or when
/// the server is closed. Child processes that this strategy has not forked are not touched.
///
/// Before Linux 5.3, on other systems, and without a free descriptor, the exit of a child does not wake the
/// server. It then checks its children every 20 ms.
///
/// # Closing
///
/// When the server is closed, running children have the
/// [grace period](crate::Server::grace_period) to end. Then they get SIGTERM. Children that are still
/// running at 0.7 of the [force-close timeout](crate::Server::force_close_timeout) get SIGKILL. With the
/// defaults, SIGTERM follows after 2 s, and SIGKILL 0.1 s later. (Python waits without limit.)
///
/// With [`block_on_close(false)`](crate::Server::block_on_close) running children get no signal and go
/// on. They are still reaped, by a thread named `socketserver-children`. They do not occupy the
/// port, because a child closes its copy of the listening socket when it begins to run. Children of
/// a datagram server do occupy it: they reply by the server's socket.
///
/// # When it refuses to fork
///
/// Only the thread that calls `fork(2)` exists in the child. If another thread holds a lock at that
/// moment, the lock is never released in the child. A handler that needs it waits for ever. Such
/// locks are in every `Mutex`, in the environment, in a logger. So a request is rejected if the process has
/// other threads that may hold a lock: [`handle_error`](crate::Service::handle_error) is called, and
/// the connection is closed. These threads may exist:
///
/// - the thread that called `serve_forever` or `handle_request`;
/// - threads of this library while they wait for a request, a signal or the end of a server: the
///   thread of [`shutdown_on_ctrl_c`](crate::Server::shutdown_on_ctrl_c), accept loops and idle workers
///   of other servers, and a thread in [`ServerHandle::wait`](crate::ServerHandle::wait).
///
/// Other threads have up to 100 ms to reach such a wait or to end, and 10 ms after they have failed to
/// do so before. (Python forks in any case, and warns since 3.12.)
///
/// The check needs Linux with `/proc`. Without it every request is rejected, except with
/// [`new_unchecked`](Self::new_unchecked), which forks without the check.
///
/// No thread may keep standard output or standard error locked while it waits. The server itself locks
/// standard output for each fork, and a child that prints to a locked standard error waits for ever.
#[derive(Debug)]
#[doc(alias = "ForkingMixIn")]
#[doc(alias = "fork")]
pub struct Forking {
    permission: Permission,
    max_children: AtomicUsize,
    /// A child was reaped in a wait that reported a request, which may have found none.
    has_unreported_exit: AtomicBool,
    children: Arc<Children>,
}

impl Forking {
    /// Default of [`max_children`](Self::max_children), as in Python.
    pub const DEFAULT_MAX_CHILDREN: usize = 40;

    /// Creates the strategy with the default limit. It forks only where that is safe: see [when it
    /// refuses to fork](Self#when-it-refuses-to-fork).
    pub fn new() -> Self {
        Self::with(Permission::CHECKED)
    }

    /// Creates the strategy without the check for other threads that [`new`](Self::new) makes.
    ///
    /// For tests, and for programs that serve in the background
    /// ([`Server::spawn`](crate::Server::spawn)) while their other threads work.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// let pid = handler_fn(|request: &mut TcpRequest| {
    ///     Ok(request.send_all(std::process::id().to_string().as_bytes())?)
    /// });
    /// // SAFETY: the handler takes no lock that this thread could hold, except the lock of the memory
    /// // allocator, which the C library releases in the child.
    /// let forking = unsafe { Forking::new_unchecked() };
    /// let server = TcpServer::bind("127.0.0.1:0", pid)?.strategy(forking).spawn()?;
    ///
    /// let mut client = std::net::TcpStream::connect(server.server_address())?;
    /// let mut answer = String::new();
    /// client.read_to_string(&mut answer)?;
    /// assert_ne!(answer, std::process::id().to_string());
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Safety
    ///
    /// In a process with several threads, POSIX allows a child to call async-signal-safe functions
    /// only. The handler, the hooks of its [`Service`](crate::Service), and everything that they call
    /// must work in a process in which all threads except the forking one have ended at an arbitrary
    /// point:
    ///
    /// - They take no lock that another thread may hold at the moment of the fork, because it is never
    ///   released in the child. (This library handles standard output and standard error, if no
    ///   thread keeps them locked. glibc and musl handle the locks of their memory allocator.)
    /// - They use no data that another thread may be changing at the moment of the fork, such as the
    ///   internal data of a C library that does not support forks.
    #[expect(unsafe_code, reason = "the one unsafe function of the public API")]
    pub unsafe fn new_unchecked() -> Self {
        // SAFETY: the caller gives the same guarantee.
        Self::with(unsafe { Permission::unchecked() })
    }

    fn with(permission: Permission) -> Self {
        Self {
            permission,
            max_children: AtomicUsize::new(Self::DEFAULT_MAX_CHILDREN),
            has_unreported_exit: AtomicBool::new(false),
            children: Arc::default(),
        }
    }

    /// Sets how many children may run at the same time. 0 counts as 1. Default: 40, as in Python.
    ///
    /// The limit is checked before each fork, under `serve_forever` and `handle_request`. (Python
    /// checks it after the fork, and never under `handle_request`.)
    pub fn max_children(self, max_children: usize) -> Self {
        self.set_max_children(max_children);
        self
    }

    pub(crate) fn set_max_children(&self, max_children: usize) {
        self.max_children
            .store(max_children.max(1), Ordering::Relaxed);
    }

    /// Sets a function that is called after each child has exited and been reaped. A second call
    /// replaces the function. Python has no such hook.
    ///
    /// It runs in the server process, on the thread of the accept loop or on the thread that closes the
    /// server. For children that outlive the server it runs on the thread that reaps them. A panic in it is caught. An `Arc` lets it share state with
    /// the [service](crate::Service).
    pub fn on_child_exit(mut self, hook: impl Fn(&ChildExit) + Send + Sync + 'static) -> Self {
        // Succeeds: the `Arc` is not shared before the server is closed.
        if let Some(children) = Arc::get_mut(&mut self.children) {
            children.set_exit_hook(Box::new(hook));
        }
        self
    }

    /// Returns the process IDs of the children that are running, or have exited and are not reaped yet.
    /// Python: `active_children`, a set, and `None` before the first fork.
    pub fn active_children(&self) -> Vec<u32> {
        self.children.pids()
    }

    fn is_full(&self) -> bool {
        self.children.len() >= self.max_children.load(Ordering::Relaxed)
    }

    fn has_capacity(&self, wait: &AcceptWait<'_>) -> bool {
        wait.rejecting || !self.is_full()
    }

    /// Allocates the list of children and the read buffer now, in this order, so that they are next to
    /// each other in memory: each page that is written to between two forks costs page faults.
    fn preallocate(&self) {
        let max_children = self.max_children.load(Ordering::Relaxed);
        self.children
            .preallocate(max_children.min(Self::DEFAULT_MAX_CHILDREN));
        ensure_read_buffer();
    }

    /// Waits until the loop is woken, a stop request of a child arrives, one of `children` exits or, if
    /// there is capacity, a request arrives. Reaps these children and carries out the stop requests.
    fn wait_for_any(
        &self,
        wait: &AcceptWait<'_>,
        children: &Snapshot,
        timeout: Option<Duration>,
    ) -> io::Result<Ready> {
        let channel = self.children.channel_descriptor();
        let fds: Vec<_> = children.pidfds().chain(channel).collect();
        let poll_timeout = children.poll_timeout(timeout);
        let (ready, readable) = wait.for_any(self.has_capacity(wait), &fds, poll_timeout)?;
        self.children.reap(children, &readable);
        if channel.is_some() && readable.last() == Some(&true) {
            self.children.receive_stop_requests();
        }
        Ok(match ready {
            // Only the time for a check on children without a pidfd has come.
            Ready::TimedOut if poll_timeout != timeout => Ready::Woken,
            ready => ready,
        })
    }

    /// Runs the job in the child process and ends that process.
    fn serve(job: Job, exit: Exit) -> ! {
        let succeeded = job.run_in_child() == Outcome::Completed;
        exit.with(if succeeded { 0 } else { 1 })
    }
}

impl Default for Forking {
    fn default() -> Self {
        Self::new()
    }
}

impl Strategy for Forking {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        if self.is_full() {
            // An accept loop has waited for capacity before, except where a strategy wraps this one and
            // does not call its `wait`.
            let reason = "there are `max_children` child processes already";
            return Err(job.reject(Some(reason.into())));
        }
        match self.children.fork(job, &self.permission) {
            Ok(Forked::Parent) => Ok(()),
            Ok(Forked::Child(job, exit)) => Self::serve(job, exit),
            Err((job, error)) => Err(job.reject(Some(error.into()))),
        }
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        self.preallocate();
        let mut timeout = wait.timeout;
        let ReapSummary {
            any_reaped,
            any_left,
        } = self.children.reap_exited();
        if wait.likely && self.has_capacity(wait) {
            // Before the next request is accepted, because a child may have requested a stop.
            self.children.receive_stop_requests();
            if any_reaped {
                self.has_unreported_exit.store(true, Ordering::Relaxed);
            }
            return Ok(Ready::Request);
        }
        let any_reaped = self.has_unreported_exit.swap(false, Ordering::Relaxed) || any_reaped;
        if (any_left || any_reaped) && self.has_capacity(wait) {
            let quiet_time = timeout.map_or(QUIET_TIME, |timeout| timeout.min(QUIET_TIME));
            let ready = self.wait_for_any(wait, &Snapshot::default(), Some(quiet_time))?;
            if ready != Ready::TimedOut {
                return Ok(ready);
            }
            timeout = timeout.map(|timeout| timeout - quiet_time);
        }
        if any_reaped {
            // No request follows at once, so the reaped children get an iteration of the loop, in
            // which `service_actions` runs.
            return Ok(Ready::Woken);
        }
        self.wait_for_any(wait, &self.children.snapshot(), timeout)
    }

    fn server_close(&self, _timeout: Duration) {
        if self.children.wait_for_all(Duration::ZERO) {
            return;
        }
        // The remaining children go on, and this thread reaps them. If it cannot be started, they stay
        // zombies until this process ends.
        let children = Arc::clone(&self.children);
        let thread = thread::Builder::new().name("socketserver-children".into());
        let _ = thread.spawn(move || children.wait_for_all(Duration::MAX));
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::of(self)
    }
}

impl Schedule for Forking {
    fn drain(&self, timeout: Duration) {
        self.children.announce_close();
        if !self.children.is_signalled() {
            self.children.wait_for_all(timeout);
        } else if !self.children.wait_for_all(timeout.mul_f64(SIGTERM_SHARE)) {
            self.children.signal_all(TerminationSignal::Kill);
            self.children
                .wait_for_all(timeout.mul_f64(1.0 - SIGTERM_SHARE));
        }
    }

    fn force_close(&self) {
        self.children.signal_all(TerminationSignal::Terminate);
    }
}
