//! A child process for each request.

mod serving;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::strategy::ChildExit;
use crate::strategy::children::Children;
use crate::sys::fork::Permission;

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
/// # What a child shares with the server process
///
/// A child is a copy, so **children repeat the random numbers of each other and of the server**: a
/// generator that was used before the fork continues in each child with the same numbers. Tokens and keys that
/// handlers draw from it are then equal for all clients. [`in_child`](Self::in_child) runs a function in each
/// child before its request, and is the place to seed these generators again:
///
/// | generator | in `in_child` |
/// | --- | --- |
/// | `rand::rng`, `rand::random` | `rand::rng().reseed()` |
/// | `fastrand` | `fastrand::seed(..)`, with a number from the system or from `rand` after its `reseed` |
/// | [`RandomState`](std::hash::RandomState) of `std` (hash seeds; not for tokens) | cannot be seeded |
/// | a generator of your own in a `static` or in the service | seed it from the system |
/// | the system's (`getrandom`, `rand::rngs::SysRng`, `/dev/urandom`) | needs nothing, because it has no state in the process |
///
/// ```
/// use socketserver::prelude::*;
///
/// let token = handler_fn(|request: &mut TcpRequest| {
///     Ok(writeln!(request, "{:032x}", rand::random::<u128>())?)
/// });
/// let forking = Forking::new().in_child(|| {
///     rand::rng().reseed().expect("the system provides random numbers");
///     fastrand::seed(rand::random());
/// });
/// let server = TcpServer::bind("127.0.0.1:0", token)?.strategy(forking);
/// # let _ = server;
/// # Ok::<(), BoxError>(())
/// ```
///
/// (In Python, a child seeds `random` again by itself. Other libraries use `os.register_at_fork`.)
///
/// Other values and files that were made before the fork:
///
/// | state | in a child | remedy |
/// | --- | --- | --- |
/// | an open file | shares its offset with the server and all children: reads and writes of one move it for all | open it in the handler; for logs, append mode; `read_at` and `write_at` |
/// | a writer with a buffer (`BufWriter`) | is a copy with the bytes that were not flushed. If the child flushes it, these are written again. At the end of the child it is not flushed | flush it before the server serves, and in [`finish`](crate::RequestHandler::finish). Standard output needs neither |
/// | a connection to a database, a TLS session, a pool of these | is used by several processes at once, which mixes up their data | connect in `in_child` or in the handler |
/// | a lock on a file (`flock`, [`File::lock`](std::fs::File::lock)) | is held by the child, too: unlocking it there releases it for the server, and it stays locked until the child has ended. A lock by `fcntl` is not inherited | open and lock the file in the handler |
/// | a thread, an async runtime, a timer | does not exist | start it in the handler |
/// | a `thread_local!` | has the value of the thread that serves | set it in `in_child` |
/// | values of the server process that remove something in `drop` (temporary files) | are not dropped | needs none: they are the server's |
///
/// # How a child ends
///
/// Errors and panics of the handler are passed to [`handle_error`](crate::Service::handle_error) in
/// the child. Then the child flushes standard output and exits: with code 0 if the handler succeeded,
/// with [141](ChildExit::code) if its client was gone, and with 1 if it failed. It exits by `_exit(2)`, so
/// that destructors and `atexit` functions of the server process do not run in it.
///
/// In the parent, [`on_child_exit`](Self::on_child_exit) is called, and
/// [`Stats`](crate::Stats) counts the request:
///
/// | end of the child | counted as |
/// | --- | --- |
/// | exit code 0 | completed |
/// | exit code 141 | disconnected |
/// | another exit code, or a signal that is not in the next row | failed |
/// | SIGINT, SIGTERM or SIGHUP; SIGKILL while the server closes | force-closed |
/// | unknown, because other code of the program waited for the process or has ignored SIGCHLD since | dropped |
///
/// # Signals
///
/// Ctrl-C in a terminal sends SIGINT to the server, its children and the processes that these have started;
/// systemd does so with SIGTERM. The server then begins its stop, and its running children have the grace
/// period to end, as requests have under every strategy. A child does this with SIGINT, SIGTERM and SIGHUP:
///
/// | the server process | a child |
/// | --- | --- |
/// | handles the signal ([`shutdown_on_ctrl_c`](crate::Server::shutdown_on_ctrl_c), or a handler of its own), or blocks it (`sigwait`) | leaves the first of these signals to the server, and ends at the second, at least 100 ms later, as the server does under `shutdown_on_ctrl_c`. It ends at the first if a signal has stopped the server before the fork, if the server process no longer exists, and if the server process or the child itself has sent it |
/// | has the default action | ends, as the server does |
/// | ignores the signal (`nohup`) | ignores it |
///
/// So `kill` of a single child has to be repeated. A child that ends by a signal does so at once, without
/// [`finish`](crate::RequestHandler::finish). The handlers of the server process do not run in it (in Python they
/// do, so that a child survives every signal that its server handles). Calls that wait may return
/// `Interrupted` in a child, such as `poll` and `pause`; this library's reads, writes and
/// [`sleep`](crate::sleep) continue.
///
/// A process that the handler has started, for example by [`Command`](std::process::Command), has the default
/// action of these signals, unless the server process ignores them: Ctrl-C ends it at once. The
/// server itself sends signals to its children only. Processes that a handler has started get none from it.
///
/// The second signal under `shutdown_on_ctrl_c` ends the server process at once. It sends no signal to running
/// children. They go on, unless they have got two signals, too.
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
/// The system discards the exit status of children while SIGCHLD is ignored, or has the flag
/// `SA_NOCLDWAIT`. Some supervisors start programs with SIGCHLD ignored. Therefore an ignored SIGCHLD gets
/// its default action before each fork, and the flag is removed. The program then has to wait for its own
/// child processes, too.
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
/// Other threads have up to 500 ms to reach such a wait or to end, and 10 ms after they have failed to
/// do so before. (Python forks in any case, and warns since 3.12.)
///
/// The check needs Linux with `/proc`. Without it every request is rejected, except with
/// [`new_unchecked`](Self::new_unchecked), which forks without the check.
///
/// No thread may keep standard output or standard error locked while it waits. The server itself locks
/// standard output for each fork, unless its reader is stuck, and a child that prints to a locked stream
/// waits for ever.
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
    ///
    /// See the [example](Self::active_children).
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
    ///
    /// See the [example](Self::active_children).
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
    /// server. For children that outlive the server it runs on the thread that reaps them. A panic in it is
    /// caught. An `Arc` lets it share state with the [service](crate::Service).
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// use std::sync::mpsc;
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let (sender, ends) = mpsc::channel();
    /// // SAFETY: the handler takes no lock that another thread could hold.
    /// let forking = unsafe { Forking::new_unchecked() }
    ///     .in_child(|| println!("a child process has started"))
    ///     .on_child_exit(move |exit| drop(sender.send(*exit)));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.strategy(forking).spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// let exit = ends.recv()?;
    /// assert_eq!((exit.code(), exit.signal()), (Some(0), None));
    /// assert_ne!(exit.pid(), std::process::id());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn on_child_exit(mut self, hook: impl Fn(&ChildExit) + Send + Sync + 'static) -> Self {
        // Succeeds: the `Arc` is not shared before the server is closed.
        if let Some(children) = Arc::get_mut(&mut self.children) {
            children.set_exit_hook(Box::new(hook));
        }
        self
    }

    /// Sets a function that is called in each child, before the handler is made. A second call replaces the
    /// function. Default: none. Python: `os.register_at_fork(after_in_child=..)`, which is for all forks of
    /// the process.
    ///
    /// It is for state that must not be [shared with the server
    /// process](Self#what-a-child-shares-with-the-server-process), for example random number generators. If it
    /// panics, the request fails: [`handle_error`](crate::Service::handle_error) is called in the child with
    /// [`Stage::ProcessRequest`](crate::Stage::ProcessRequest), the connection is closed, and the child exits
    /// with code 1. With [`new_unchecked`](Self::new_unchecked), its safety rules apply to this function, too.
    ///
    /// See the [example](Self::on_child_exit).
    #[doc(alias = "register_at_fork")]
    #[doc(alias = "after_in_child")]
    pub fn in_child(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        // Succeeds: the `Arc` is not shared before the server is closed.
        if let Some(children) = Arc::get_mut(&mut self.children) {
            children.set_child_hook(Box::new(hook));
        }
        self
    }

    /// Returns the process IDs of the children that are running, or have exited and are not reaped yet.
    /// Python: `active_children`, a set, and `None` before the first fork.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.strategy(Forking::new()).max_children(10);
    /// assert_eq!(server.active_children(), []);
    /// let strategy = Forking::new().max_children(10); // the same limit, set before
    /// assert_eq!(strategy.active_children(), []);
    /// # let _ = server;
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn active_children(&self) -> Vec<u32> {
        self.children.pids()
    }
}

impl Default for Forking {
    fn default() -> Self {
        Self::new()
    }
}
