//! A process for every request.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::job::{Job, Rejected};
use crate::request::have_spare;
use crate::state::counters::Outcome;
use crate::strategy::children::{Children, Forked, ReapSummary, Snapshot};
use crate::strategy::scheduling::Schedule;
use crate::strategy::scheduling::Scheduling;
use crate::strategy::{AcceptWait, ChildExit, Ready, Strategy};
use crate::sys::child_process::TerminationSignal;
use crate::sys::fork::{Exit, Permission};

/// Runs each request in a child process of its own. Python: `ForkingMixIn`.
///
/// A child is a copy of the server process, made when its request comes. It sees everything that the
/// server has at that moment, and nothing that it changes reaches the server or other requests. A
/// handler that crashes, leaks or is killed takes only its own process with it.
///
/// - **What a child may use.** Everything, but it is alone: the server's other threads do not exist
///   in it. What it has of servers are copies: [`shutdown`](crate::ServerHandle::shutdown), of any of
///   them, is passed on to the parent; [`stats`](crate::ServerHandle::stats) are those of the moment
///   of the fork; [`wait`](crate::ServerHandle::wait) returns `false` at once; a
///   [`Sender`](crate::Sender) to another client reaches nobody. What is not memory is shared: a
///   datagram server's socket, files that are open.
/// - **How it ends.** Errors and panics of the handler go to
///   [`handle_error`](crate::Service::handle_error), in the child. Then standard output is flushed,
///   and the process exits with 0 if the handler succeeded, or else 1. The parent is told by
///   [`on_child_exit`](Self::on_child_exit), and counts.
/// - **Signals.** SIGINT, SIGTERM and SIGHUP end a child, also where the server handles or blocks
///   them, and without [`finish`](crate::RequestHandler::finish). (A SIGHUP that is ignored stays
///   ignored, for `nohup`.) Programs that a handler starts are not told.
/// - **Limit.** While [`max_children`](Self::max_children) are running, clients wait in the kernel's
///   queue; the server can be stopped meanwhile.
/// - **Collecting.** While the server serves, children are reaped as they end, a few milliseconds
///   late at most; else by the next `serve_forever`, `handle_request` or close.
/// - **Closing.** Running children have the [grace period](crate::Server::grace_period) to end, then get a
///   SIGTERM, and, at 0.7 of the [closing time](crate::Server::force_close_timeout), a SIGKILL. With
///   [`block_on_close(false)`](crate::Server::block_on_close) they are left alone. (The port is free
///   once the youngest of them has begun to run.)
///
/// - **A second signal** ([`shutdown_on_ctrl_c`](crate::Server::shutdown_on_ctrl_c)) ends the server at once,
///   and leaves running children to themselves. (Ctrl-C reaches them as well: the terminal sends it to all.)
///
/// # When it refuses to fork
///
/// Only the thread that forks goes on in the child. If another one holds a lock at that moment, the
/// child never gets it: of a mutex, the environment, a logger, whatever the handler comes across. So
/// a request is rejected ([`handle_error`](crate::Service::handle_error) is told, the connection
/// closed) if the process has threads other than
///
/// - the one that called `serve_forever` or `handle_request`,
/// - threads of this library that wait, for a request, a signal or the end of a server: that of
///   [`shutdown_on_ctrl_c`](crate::Server::shutdown_on_ctrl_c), accept loops and idle workers of
///   other servers, a thread in [`ServerHandle::wait`](crate::ServerHandle::wait).
///
/// (Python forks all the same, and since 3.12 warns.) [`new_unchecked`](Self::new_unchecked) forks
/// whatever other threads there are. The check needs `/proc`, and Linux; elsewhere forking always
/// has to be unchecked. Before it refuses, it waits a moment for threads that are about to wait.
///
/// No thread may keep standard output or standard error locked while it waits: the server locks the one
/// for each fork, and a child that needs the other would wait for ever.
///
/// ```no_run
/// use socketserver::prelude::*;
///
/// let count = handler_fn(|request: &mut TcpRequest| {
///     Ok(writeln!(request, "served by process {}", std::process::id())?)
/// });
/// let server = ForkingTcpServer::bind("127.0.0.1:9999", count)?;
/// server.shutdown_on_ctrl_c()?;
/// server.serve_forever()?;
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Debug)]
#[doc(alias = "ForkingMixIn")]
#[doc(alias = "fork")]
pub struct Forking {
    permission: Permission,
    max_children: AtomicUsize,
    children: Arc<Children>,
}

impl Forking {
    /// How many children may run at the same time, unless told otherwise: as in Python.
    pub const DEFAULT_MAX_CHILDREN: usize = 40;

    /// A process per request, with the default limit, where forking is harmless.
    pub fn new() -> Self {
        Self::with(Permission::CHECKED)
    }

    /// Forks whatever other threads there are; see [`new`](Self::new) for what is checked otherwise.
    ///
    /// For programs that serve in the background ([`Server::spawn`](crate::Server::spawn)) while they
    /// do something else, and for tests.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// let pid = handler_fn(|request: &mut TcpRequest| {
    ///     Ok(request.send_all(std::process::id().to_string().as_bytes())?)
    /// });
    /// // SAFETY: the handler takes no lock that this thread could hold, but the allocator's, which
    /// // the C library sees to.
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
    /// only. A handler, and everything that it and the hooks of its [`Service`](crate::Service) call,
    /// must work in a process in which all threads but the forking one have vanished at an arbitrary
    /// point:
    ///
    /// - No lock that they take may have been held by another thread at the time of the fork: it
    ///   would never be released. (Standard output and standard error are seen to by this library, if
    ///   no thread keeps them locked, and the allocator by glibc and musl, if it is theirs.)
    /// - Nothing that they look at may have been half-way through a change by another thread: the
    ///   internals of a C library that is not prepared for forks, for example.
    #[expect(unsafe_code, reason = "the one unsafe function of the public API")]
    pub unsafe fn new_unchecked() -> Self {
        // SAFETY: the caller gives the same guarantee.
        Self::with(unsafe { Permission::unchecked() })
    }

    fn with(permission: Permission) -> Self {
        Self {
            permission,
            max_children: AtomicUsize::new(Self::DEFAULT_MAX_CHILDREN),
            children: Arc::default(),
        }
    }

    /// How many children may run at the same time; at least 1. Default: 40, as in Python.
    ///
    /// The limit holds before each fork, under `serve_forever` and `handle_request` alike. (Python
    /// looks after the fork, and under `handle_request` never.)
    pub fn max_children(self, max_children: usize) -> Self {
        self.set_max_children(max_children);
        self
    }

    pub(crate) fn set_max_children(&self, max_children: usize) {
        self.max_children
            .store(max_children.max(1), Ordering::Relaxed);
    }

    /// Calls `hook` whenever a child has ended, on the thread that accepts or closes, or, for children
    /// that [`block_on_close(false)`](crate::Server::block_on_close) has left, on one of its own. A
    /// panic in it is contained.
    ///
    /// What it counts it can share with the [service](crate::Service) by an `Arc`.
    pub fn on_child_exit(mut self, hook: impl Fn(&ChildExit) + Send + Sync + 'static) -> Self {
        // Nobody else has the children before the strategy is in use.
        if let Some(children) = Arc::get_mut(&mut self.children) {
            children.on_exit(Box::new(hook));
        }
        self
    }

    /// The process numbers of the children that are running, or have ended and not been reaped
    /// yet. Python: `active_children`, a set of them.
    pub fn active_children(&self) -> Vec<u32> {
        self.children.ids()
    }

    fn is_full(&self) -> bool {
        self.children.len() >= self.max_children.load(Ordering::Relaxed)
    }

    fn has_capacity(&self, wait: &AcceptWait<'_>) -> bool {
        wait.rejecting || !self.is_full()
    }

    /// Waits for a request, unless there is no room, for the end of `children`, and for whatever else
    /// there is to wait for.
    fn wait_for_any(
        &self,
        wait: &AcceptWait<'_>,
        children: &Snapshot,
        timeout: Option<Duration>,
    ) -> io::Result<Ready> {
        let channel = self.children.channel_descriptor();
        let fds: Vec<_> = children.descriptors().chain(channel).collect();
        let poll_timeout = children.poll_timeout(timeout);
        let (ready, readable) = wait.for_any(self.has_capacity(wait), &fds, poll_timeout)?;
        self.children.reap(children, &readable);
        if channel.is_some() && readable.last() == Some(&true) {
            self.children.receive_stop_requests();
        }
        Ok(match ready {
            // Only the look after children without a descriptor is due.
            Ready::TimedOut if poll_timeout != timeout => Ready::Woken,
            ready => ready,
        })
    }

    /// The child's part: serves the request, and is no more.
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
            // Not in an accept loop, which waits for room.
            return Err(job.reject(Some("as many children as are allowed are running".into())));
        }
        match self.children.fork(job, &self.permission) {
            Ok(Forked::Parent) => Ok(()),
            Ok(Forked::Child(job, exit)) => Self::serve(job, exit),
            Err((job, error)) => Err(job.reject(Some(error.into()))),
        }
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        // In this order: the one is to be beside the other in memory.
        let most = self.max_children.load(Ordering::Relaxed);
        let most = most.min(Self::DEFAULT_MAX_CHILDREN);
        self.children.make_room(most);
        have_spare();
        let mut timeout = wait.timeout;
        let ReapSummary { reaped, left } = self.children.reap_exited();
        if wait.likely && self.has_capacity(wait) {
            // Before the request, what children ask for: it may be a stop.
            self.children.receive_stop_requests();
            return Ok(Ready::Request);
        }
        if (left || reaped) && self.has_capacity(wait) {
            let calm = timeout.map_or(CALM, |timeout| timeout.min(CALM));
            let ready = self.wait_for_any(wait, &Snapshot::default(), Some(calm))?;
            if ready != Ready::TimedOut {
                return Ok(ready);
            }
            timeout = timeout.map(|timeout| timeout - calm);
        }
        if reaped {
            // No request tells of it: the end of a child is a turn of its own.
            return Ok(Ready::Woken);
        }
        self.wait_for_any(wait, &self.children.snapshot(), timeout)
    }

    fn server_close(&self, _grace: Duration) {
        if self.children.wait_for_all(Duration::ZERO) {
            return;
        }
        // They go on by themselves, but somebody has to reap them. Without a thread, nobody does
        // until this process ends.
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
        if !self.children.are_signalled() {
            self.children.wait_for_all(timeout);
        } else if !self.children.wait_for_all(timeout.mul_f64(TO_COMPLY)) {
            self.children.interrupt(TerminationSignal::Kill);
            self.children.wait_for_all(timeout.mul_f64(1.0 - TO_COMPLY));
        }
    }

    fn force_close(&self) {
        self.children.interrupt(TerminationSignal::Terminate);
    }
}

/// How long no request has to come before the end of a child may wake the loop. Until then children are
/// reaped in passing, which spares a descriptor and a wake-up for each.
const CALM: Duration = Duration::from_millis(5);
/// Which part of the closing time children have to follow a SIGTERM; what is left is for those that have
/// to be killed to be gone.
const TO_COMPLY: f64 = 0.7;
