//! The server: a transport, a service and a strategy put together.

mod accept_backoff;
mod accept_loop;
mod accept_threads;
mod admission;
pub(crate) mod aliases;
mod backlog;
mod ctrl_c;
mod dispatch;
mod drain;
mod drain_report;
mod fd_exhaustion;
mod options;
mod running;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use self::accept_loop::Handled;
pub use self::backlog::BacklogPolicy;
pub use self::drain_report::DrainReport;
pub use self::options::ServerOptions;
pub use self::running::RunningServer;

use self::accept_loop::AcceptLoop;
use self::drain::DrainOnDrop;
use crate::error::Error;
use crate::panics::catch_panic_io;
use crate::request::RequestKind;
use crate::service::Service;
use crate::state::limits::LimitConfig;
use crate::state::{ServerHandle, ServerState, ShutdownConfig, Stats, servers};
use crate::strategy::{Forking, Strategy};
use crate::sys::close_on_fork::close_on_fork;
use crate::transport::{Bind, FromListener, Transport};

/// A server: requests come from a [`Transport`], a [`Service`] makes handlers for them, and a
/// [`Strategy`] runs these. Made through an alias with Python's name, such as
/// [`TcpServer`](crate::TcpServer).
///
/// Its life: **bound** (and, unless told otherwise, listening: clients can connect and wait) from
/// [`bind`](Self::bind) on; **serving** during [`serve_forever`](Self::serve_forever) or
/// [`handle_request`](Self::handle_request), which can follow each other; **closed** by
/// [`server_close`](Self::server_close) or by being dropped, which stops listening, then waits for
/// running requests, but not longer than the [grace period](Self::grace_period).
///
/// > **Coming from Python.** `with TCPServer(...) as server:` is `let server = ...;` here: the end
/// > of the block closes it. Unlike there, that cannot hang on an idle client, and it waits for
/// > running requests under every strategy.
#[doc(alias = "BaseServer")]
#[must_use = "a bound server serves nothing until serve_forever(), handle_request() or spawn()"]
pub struct Server<T, S, M: Strategy> {
    // The order of the fields is the order in which they are dropped. The last share of the socket is
    // with what takes care of those who wait in its queue: it is closed then, so that nobody new gets
    // in; then come the running requests, then the threads of the strategy.
    transport: Arc<T>,
    running: DrainOnDrop<M>,
    service: Arc<S>,
    handle: ServerHandle,
    activated: AtomicBool,
    poll_interval: Option<Duration>,
    handle_request_timeout: Option<Duration>,
}

/// How often `service_actions` is called, unless told otherwise; Python's default too.
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_millis(500);

impl<T, S, M> Server<T, S, M>
where
    T: Transport,
    // The compiler quotes this line, and so its comment, wherever a service is rejected.
    S: Service<T::Request>, // `|| MyHandler`, `handler_fn(f)`, shared state; fit for threads: no `Rc`
    M: Strategy + Default,
{
    /// Makes a server with the default options and listens. Python:
    /// `TCPServer(server_address, RequestHandlerClass)`.
    ///
    /// - `address`: `"127.0.0.1:9999"`, `("localhost", 9999)`, a `SocketAddr`, for a Unix server a
    ///   path. Port 0 picks a free one; [`server_address`](Self::server_address) tells which.
    ///   The family follows the address, so `"[::1]:9999"` is an IPv6 server. A name means its
    ///   IPv4 address, if it has one. Python's `""`, all interfaces, is `"0.0.0.0:9999"`, or
    ///   `"[::]:9999"` for IPv4 and IPv6.
    /// - `service`: what makes handlers: `|| MyHandler`, [`handler_fn`](crate::handler_fn), or a
    ///   [`Service`] of your own.
    ///
    /// For options, start with [`options`](Self::options).
    ///
    /// # Errors
    ///
    /// [`Error::Resolve`], [`Error::Bind`] or [`Error::Activate`]; they say what to do. No
    /// descriptor stays open.
    #[doc(alias = "__init__")]
    pub fn bind<A>(address: A, service: S) -> Result<Self, Error>
    where
        T: Bind<A>,
    {
        Self::options().bind(address, service)
    }

    /// Makes a server of a socket that is bound already: a std `TcpListener`, `UdpSocket`,
    /// `UnixListener` or `UnixDatagram`, made by other means or inherited (each is
    /// `From<OwnedFd>`).
    ///
    /// With options it is [`options`](Self::options)`().timeout(..).from_listener(..)`. Those that
    /// still count are [`timeout`](ServerOptions::timeout) and the other times of connections,
    /// [`max_packet_size`](ServerOptions::max_packet_size),
    /// [`disable_nagle_algorithm`](ServerOptions::disable_nagle_algorithm),
    /// [`defer_accept`](ServerOptions::defer_accept) and
    /// [`request_queue_size`](ServerOptions::request_queue_size).
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] if the socket cannot be used, [`Error::Activate`] if it cannot listen.
    #[doc(alias = "from_socket")]
    #[doc(alias = "fromfd")]
    pub fn from_listener<L>(listener: L, service: S) -> Result<Self, Error>
    where
        T: FromListener<L>,
    {
        Self::options().from_listener(listener, service)
    }

    /// Starts with options: `TcpServer::options().request_queue_size(16).bind(...)`.
    pub fn options() -> ServerOptions<T, S, M> {
        ServerOptions::new()
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> Server<T, S, M> {
    fn assemble(
        transport: T,
        service: S,
        strategy: M,
        limits: LimitConfig,
        activate: bool,
    ) -> Result<Self, Error> {
        let state = ServerState::new(transport.server_address().clone().into(), limits).map_err(
            |source| Error::Resources {
                what: "the descriptors that wake the server",
                source,
            },
        )?;
        let handle = ServerHandle(Arc::new(state));
        servers::register(&handle.0);
        // The replies of datagram servers leave by the socket that they receive with.
        let needed_by = (T::KIND == RequestKind::Datagram).then(|| handle.0.id());
        let private = close_on_fork([&transport.as_fd()], needed_by);
        let (transport, service) = (Arc::new(transport), Arc::new(service));
        let finish_queue = backlog::finish(&transport, &service, &handle, private);
        if T::KIND == RequestKind::Connection {
            // Without it the server works, but while there are no descriptors.
            handle.0.reserve.refill();
        }
        let server = Self {
            transport,
            running: DrainOnDrop::new(&handle, strategy, finish_queue),
            service,
            handle,
            activated: AtomicBool::new(false),
            poll_interval: Some(DEFAULT_POLL_INTERVAL),
            handle_request_timeout: None,
        };
        if activate {
            server.server_activate()?;
        }
        Ok(server)
    }

    // ---- what can be changed before it serves ----

    /// Runs the requests by another strategy. Python: another mix-in class.
    ///
    /// ```
    /// # use socketserver::{Request, Strategy, TcpRequest, TcpServer, ThreadPool, Threading, handler_fn};
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
    /// let strategy: Box<dyn Strategy> = match std::env::args().nth(1).as_deref() {
    ///     Some("pool") => Box::new(ThreadPool::new(8)),
    ///     _ => Box::new(Threading::new()),
    /// };
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.strategy(strategy);
    /// # let _ = server;
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    pub fn strategy<N: Strategy>(self, strategy: N) -> Server<T, S, N> {
        Server {
            running: self.running.with(strategy),
            transport: self.transport,
            service: self.service,
            handle: self.handle,
            activated: self.activated,
            poll_interval: self.poll_interval,
            handle_request_timeout: self.handle_request_timeout,
        }
    }

    /// The longest time between two calls of [`Service::service_actions`] while nothing happens;
    /// `None`: it is called after requests only. Default: 0.5 s, as in Python.
    ///
    /// It has no influence on how fast the server stops: [`ServerHandle::shutdown`] wakes it at
    /// once. (In Python it does, and is an argument of `serve_forever`.)
    pub fn poll_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.poll_interval = interval.into();
        self
    }

    /// How long [`handle_request`](Self::handle_request) waits for a request; `None`, the default
    /// (as in Python): without limit. Zero looks once, without waiting. Python: the server's
    /// `timeout` attribute.
    ///
    /// `serve_forever` does not look at this. The timeout of a client's reads and writes is
    /// [`ServerOptions::timeout`].
    #[doc(alias = "timeout")]
    pub fn handle_request_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.handle_request_timeout = timeout.into();
        self
    }

    /// How long a stop waits for running requests before it cuts their connections: the grace period,
    /// which begins when the stop is asked for, or, without one, when the server is closed. Default:
    /// 2 s. Python has no limit and hangs for as long as one client stays connected; [`Duration::MAX`]
    /// is that.
    ///
    /// It also bounds how long a request that runs in the accept loop itself
    /// ([`Sequential`](crate::Sequential)) can hold up [`ServerHandle::shutdown`].
    pub fn grace_period(self, grace_period: Duration) -> Self {
        self.configure_shutdown(|config| config.grace_period = grace_period)
    }

    /// How long the server goes on accepting when a stop was asked for, while
    /// [`ServerHandle::is_ready`] is `false` already: so that whoever sends clients here can notice, and
    /// send them elsewhere. Only then does the [grace period](Self::grace_period) begin. Default: zero, as in
    /// Python.
    #[doc(alias = "preStop")]
    pub fn lame_duck(self, time: Duration) -> Self {
        self.configure_shutdown(|config| config.lame_duck = time)
    }

    /// Over how long the connections that are left after the [grace period](Self::grace_period) are cut, one
    /// after the other, so that their clients do not all come back at the same time. Default: zero, all at
    /// once.
    ///
    /// If one of them holds up an accept loop at that moment, as [`verify_request`](crate::Service::verify_request)
    /// can, all are cut at once: the loop has to end before the others have their turn.
    pub fn force_close_spread(self, time: Duration) -> Self {
        self.configure_shutdown(|config| config.force_close_spread = time)
    }

    /// How long requests that were cut off may take to end before they are abandoned, and the threads
    /// that ran them. Default: 150 ms, which is plenty for a handler that reads or writes, and all that is
    /// wasted on one that computes.
    pub fn force_close_timeout(self, time: Duration) -> Self {
        self.configure_shutdown(|config| config.force_close_timeout = time)
    }

    fn configure_shutdown(self, change: impl FnOnce(&mut ShutdownConfig)) -> Self {
        self.handle.0.life_cycle.configure_shutdown(change);
        self
    }

    /// What becomes of clients that wait in the queue of the listening socket when the server is closed:
    /// they have connected, and may have sent their question. Default: [`BacklogPolicy::Serve`]; for a
    /// socket that was [bound elsewhere](Self::from_listener) [`BacklogPolicy::Leave`], because another
    /// process may have it too, and serve them. In Python they are reset, and lose their question.
    ///
    /// Datagrams that have arrived by then are served in the same way. Those for which the grace period is
    /// too short are counted ([`RejectionCounts::closing`](crate::RejectionCounts::closing)); those that the kernel had no
    /// room for, while the server was busy, are not: it tells nobody.
    ///
    /// Nobody slips in between: from the moment when the server begins to close, clients that connect are
    /// not answered by the kernel (Linux) or rejected by it (Unix sockets), until the socket is closed.
    pub fn backlog_policy(mut self, policy: BacklogPolicy) -> Self {
        self.running.backlog_policy = policy;
        self
    }

    /// Whether closing the server waits for running requests. Default: `true`, as in Python. With
    /// `false` they go on by themselves, uncut; returning from `main` ends them. (A request that runs
    /// in the accept loop itself has to end before that can, and is still cut.)
    #[doc(alias = "daemon_threads")]
    pub fn block_on_close(mut self, block: bool) -> Self {
        self.running.block_on_close = block;
        self
    }

    // ---- what can be asked ----

    /// Where the server is bound; with port 0 asked for, the port that the system picked.
    pub fn server_address(&self) -> &T::Address {
        self.transport.server_address()
    }

    /// What was passed to `bind`: shared state, from outside the handlers.
    pub fn service(&self) -> &Arc<S> {
        &self.service
    }

    /// A handle to stop and observe the server from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Asks `serve_forever` to return: [`ServerHandle::shutdown`], which says more.
    #[doc(alias = "_BaseServer__shutdown_request")]
    pub fn shutdown(&self) {
        self.handle.shutdown();
    }

    /// The counters at this moment.
    #[doc(alias = "_threads")]
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }

    // ---- serving ----

    /// Makes the bound socket listen: only for servers that were made with
    /// [`activate(false)`](ServerOptions::activate). Does nothing if it listens already.
    ///
    /// # Errors
    ///
    /// [`Error::Activate`].
    pub fn server_activate(&self) -> Result<(), Error> {
        if self.activated.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let listen = || self.transport.server_activate();
        let listening = catch_panic_io("Transport::server_activate", io::ErrorKind::Other, listen);
        listening.map_err(|source| {
            self.activated.store(false, Ordering::SeqCst);
            Error::Activate {
                address: self.server_address().to_string(),
                source,
            }
        })
    }

    /// Serves until [`ServerHandle::shutdown`] is called. The socket stays open then: call it
    /// again to go on, or drop the server to close.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`] if the listening socket fails for good, [`Error::AlreadyServing`],
    /// [`Error::NotActivated`]. No client and no handler can end it.
    pub fn serve_forever(&self) -> Result<(), Error> {
        self.check_activated()?;
        self.accept_loop().serve_forever()
    }

    /// Waits for one request and passes it to the strategy. With
    /// [`Sequential`](crate::Sequential) it has been served when this returns; with the others it
    /// has been started. A close that follows gives it only the [grace period](Self::grace_period), so a
    /// program that serves one request and ends takes a sequential server, or `grace_period(Duration::MAX)`.
    ///
    /// It waits for as long as [`handle_request_timeout`](Self::handle_request_timeout) says, or
    /// the socket's own receive timeout if it has one and that is shorter; then calls
    /// [`Service::handle_timeout`]. Clients that are gone before they are accepted do not count.
    ///
    /// # Errors
    ///
    /// As for [`serve_forever`](Self::serve_forever).
    #[doc(alias = "_handle_request_noblock")]
    pub fn handle_request(&self) -> Result<Handled, Error> {
        self.check_activated()?;
        self.accept_loop()
            .handle_request(self.handle_request_timeout)
    }

    /// Serves on a thread of its own, and returns at once: the idiom of tests and of programs that
    /// do something else meanwhile. Dropping the result stops the server, closes it and waits, so
    /// keep it in a variable with a name: `let _server = ...` keeps it, `let _ = ...` stops it at
    /// once.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use socketserver::{Request, TcpRequest, ThreadingTcpServer, handler_fn};
    ///
    /// let shout = handler_fn(|request: &mut TcpRequest| {
    ///     let line = request.readline(1000)?;
    ///     Ok(request.send_all(&line.to_ascii_uppercase())?)
    /// });
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", shout)?.spawn()?;
    ///
    /// let mut client = std::net::TcpStream::connect(server.server_address())?;
    /// client.write_all(b"hello\n")?;
    /// let mut answer = String::new();
    /// client.read_to_string(&mut answer)?;
    /// assert_eq!(answer, "HELLO\n");
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Resources`] if no thread can be had, [`Error::NotActivated`].
    #[doc(alias = "serve_forever_thread")]
    #[doc(alias = "Thread")]
    #[doc(alias = "start")]
    pub fn spawn(self) -> Result<RunningServer<T, S, M>, Error> {
        self.check_activated()?;
        RunningServer::start(self)
    }

    /// Stops `serve_forever` at Ctrl-C (SIGINT), SIGTERM and SIGHUP; a second signal ends the
    /// process at once, with status 130. `handle_request` returns [`Handled::Shutdown`].
    ///
    /// This is the only way in which the library installs a signal handler (by the `ctrlc` crate,
    /// for the whole process, in place of what was there). It can be called for several servers.
    /// Under `nohup` SIGHUP stays ignored.
    ///
    /// > **Coming from Python.** There Ctrl-C is a `KeyboardInterrupt` in the main thread; here
    /// > `serve_forever` returns `Ok`.
    ///
    /// # Errors
    ///
    /// [`Error::Signal`] if the program uses `ctrlc` itself: call [`ServerHandle::shutdown`] from
    /// its handler instead.
    #[doc(alias = "gevent.signal_handler")]
    #[doc(alias = "KeyboardInterrupt")]
    #[doc(alias = "SIGINT")]
    #[doc(alias = "SIGTERM")]
    pub fn shutdown_on_ctrl_c(&self) -> Result<(), Error> {
        ctrl_c::shutdown_on_ctrl_c(&self.handle)
    }

    /// Closes the server, and tells how that went. It stops listening, having taken care of those
    /// [who wait in the queue](Self::backlog_policy); then waits for running requests as long as the
    /// [grace period](Self::grace_period) lasts; then cuts the connections of those left, whose handlers get
    /// [`ShuttingDown`](crate::ShuttingDown) from their reads and writes. Dropping the server does the
    /// same. To read the [counters](ServerHandle::stats) afterwards, take a [`handle`](Self::handle)
    /// before.
    ///
    /// Handlers that do not read or write cannot be cut off. After the
    /// [`force_close_timeout`](Self::force_close_timeout) they are abandoned: reported, and left running until the
    /// program ends. Threads that handlers have started themselves are not waited for.
    #[doc(alias = "__exit__")]
    pub fn server_close(self) -> DrainReport {
        let Self {
            transport,
            mut running,
            ..
        } = self;
        drop(transport);
        running.drain()
    }

    fn check_activated(&self) -> Result<(), Error> {
        if self.activated.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(Error::NotActivated)
        }
    }

    fn accept_loop(&self) -> AcceptLoop<T, S> {
        let strategy = Arc::clone(&self.running.strategy);
        AcceptLoop {
            transport: Arc::clone(&self.transport),
            service: Arc::clone(&self.service),
            strategy,
            handle: self.handle.clone(),
            poll_interval: self.poll_interval,
        }
    }
}

impl<T: Transport, S: Service<T::Request>> Server<T, S, Forking> {
    /// How many child processes may run at the same time: see [`Forking::max_children`].
    pub fn max_children(self, max_children: usize) -> Self {
        self.running.strategy.set_max_children(max_children);
        self
    }

    /// The process numbers of the children that are running: see [`Forking::active_children`].
    pub fn active_children(&self) -> Vec<u32> {
        self.running.strategy.active_children()
    }
}

/// The listening socket: to wait for several servers at once, or to read its options. Python:
/// `fileno()`. (It is not readable for datagrams that a [`serve_forever`](Server::serve_forever) had
/// taken in when it was stopped: the next loop serves those, whether others come or not.)
impl<T: Transport, S: Service<T::Request>, M: Strategy> AsFd for Server<T, S, M> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> fmt::Debug for Server<T, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("server_address", self.server_address())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
