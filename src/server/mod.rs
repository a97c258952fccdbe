//! The server: a transport, a service and a strategy joined.

mod accept_backoff;
mod accept_loop;
mod accept_threads;
mod admission;
pub(crate) mod aliases;
mod any_server;
mod backlog;
mod backlog_policy;
mod ctrl_c;
mod dispatch;
mod drain;
mod drain_report;
mod fd_exhaustion;
mod group;
mod handshakes;
mod listeners;
mod options;
mod running;
mod settings;
#[cfg(feature = "tls")]
pub(crate) mod tls_aliases;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use self::accept_loop::Handled;
pub use self::any_server::AnyServer;
pub use self::backlog_policy::BacklogPolicy;
pub use self::drain_report::DrainReport;
pub use self::group::{GroupError, GroupReport, MemberReport, RunningGroup, ServerGroup};
pub use self::options::ServerOptions;
pub use self::running::{Running, RunningServer, Spawn};

use self::accept_loop::AcceptLoop;
use self::drain::DrainOnDrop;
use self::handshakes::Handshakes;
use self::listeners::Listeners;
use crate::error::Error;
use crate::request::RequestKind;
use crate::service::Service;
use crate::state::limits::LimitConfig;
use crate::state::{ServerHandle, ServerState, Stats, servers};
#[cfg(unix)]
use crate::strategy::Forking;
use crate::strategy::Strategy;
use crate::sys::close_on_fork;
use crate::sys::fd::impl_as_fd;
use crate::sys::stop_signal::StopSignal;
use crate::transport::{Bind, FromListener, Transport};

/// A server: requests come from a [`Transport`], a [`Service`] makes handlers for them, and a
/// [`Strategy`] runs the handlers. Programs name it by an alias with Python's name, such as
/// [`TcpServer`](crate::TcpServer).
///
/// The states of its life:
///
/// - **Bound** from [`bind`](Self::bind) on. It also listens, unless
///   [`activate(false)`](ServerOptions::activate) was set: clients can connect, and wait in the backlog.
/// - **Serving** during [`serve_forever`](Self::serve_forever) and
///   [`handle_request`](Self::handle_request), which can be called again and in any order.
/// - **Closed** by [`server_close`](Self::server_close) or by dropping it. This stops listening, then
///   waits for running requests, at most for the [grace period](Self::grace_period).
///
/// Everything about sockets and clients (options, timeouts, limits) is set before `bind`, in
/// [`ServerOptions`]. How the server runs and stops ([`strategy`](Self::strategy),
/// [`poll_interval`](Self::poll_interval), [`grace_period`](Self::grace_period) and so on) is set on the
/// server before it serves.
///
/// > **Coming from Python.** `with TCPServer(...) as server:` is `let server = ...;` here: the end of
/// > the block closes it. In contrast to Python, this cannot hang on an idle client, and it waits for
/// > running requests under every strategy.
///
/// ```
/// use socketserver::prelude::*;
///
/// let hello = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hello")?));
/// let server: Server<_, _, Threading> = ThreadingTcpServer::bind("127.0.0.1:0", hello)?;
/// let handle = server.handle();
/// std::thread::scope(|scope| {
///     scope.spawn(|| server.serve_forever());
///     let client = std::net::TcpStream::connect(server.server_address()).unwrap();
///     assert_eq!(std::io::read_to_string(client).unwrap(), "hello");
///     handle.shutdown();
/// });
/// assert!(server.server_close().abandoned.is_empty());
/// # Ok::<(), BoxError>(())
/// ```
#[doc(alias = "BaseServer")]
#[must_use = "a bound server serves nothing until serve_forever(), handle_request() or spawn()"]
pub struct Server<T: Transport, S, M: Strategy> {
    // The order of the fields is the order in which they are dropped. The listeners come first, so that
    // `drain` has the last share of the sockets: it drains the backlogs, closes the sockets, waits for
    // running requests and ends the threads of the strategy, in this order.
    listeners: Arc<Listeners<T>>,
    drain: DrainOnDrop<M>,
    service: Arc<S>,
    handle: ServerHandle,
    handshakes: Arc<Handshakes<T::Request>>,
    activated: AtomicBool,
    poll_interval: Option<Duration>,
    handle_request_timeout: Option<Duration>,
}

/// Default of [`Server::poll_interval`], as in Python.
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_millis(500);

impl<T, S, M> Server<T, S, M>
where
    T: Transport,
    // The compiler quotes the next line, with its comment, in errors about a type that is no service.
    S: Service<T::Request>, // `|| MyHandler`, `handler_fn(f)`, shared state; fit for threads: no `Rc`
    M: Strategy + Default,
{
    /// Binds a server with the default options, and listens. Python:
    /// `TCPServer(server_address, RequestHandlerClass)`.
    ///
    /// - `address`: `"127.0.0.1:9999"`, `("localhost", 9999)`, a `SocketAddr`; for a Unix server a
    ///   path. Port 0 selects a free port, which [`server_address`](Self::server_address) returns.
    ///   The address determines the family, so `"[::1]:9999"` makes an IPv6 server. A host name stands
    ///   for its IPv4 address, if it has one. All interfaces are `("", 9999)`, as in Python, or
    ///   `"0.0.0.0:9999"`, for IPv4. An array, a slice or a `Vec` of addresses binds one server to all of them:
    ///   `["0.0.0.0:9999", "[::]:9999"]` for IPv4 and IPv6. Whether `"[::]:9999"` alone serves IPv4 clients, too, is
    ///   decided by [`only_v6`](ServerOptions::only_v6).
    /// - `service`: makes the handlers: `|| MyHandler`, [`handler_fn`](crate::handler_fn), or a
    ///   [`Service`] of your own.
    ///
    /// A server with other options is made by [`options`](Self::options).
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// let hello = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hello")?));
    /// let server = TcpServer::bind(("localhost", 0), hello())?;
    /// assert!(server.server_address().ip().is_loopback());
    /// assert!(TcpServer::bind(("", 0), hello())?.server_address().ip().is_unspecified());
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Resolve`], [`Error::Bind`], [`Error::Activate`] or [`Error::Resources`]. The message
    /// names a remedy where there is one. No descriptor stays open.
    #[doc(alias = "__init__")]
    pub fn bind<A>(address: A, service: S) -> Result<Self, Error>
    where
        T: Bind<A>,
    {
        Self::options().bind(address, service)
    }

    /// Binds one server to all addresses of an iterator, of one kind. For addresses that are in an array, a slice
    /// or a `Vec`, [`bind`](Self::bind) does the same.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// let hello = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hello")?));
    /// let hosts = ["127.0.0.1", "localhost"];
    /// let server = TcpServer::bind_all(hosts.iter().map(|host| (*host, 0)), hello)?.spawn()?;
    /// for address in server.server_addresses() {
    ///     let client = std::net::TcpStream::connect(address)?;
    ///     assert_eq!(std::io::read_to_string(client)?, "hello");
    /// }
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`bind`](Self::bind); also if there is no address. If one address fails, the error names it, and
    /// nothing stays bound.
    #[doc(alias = "create_server")]
    pub fn bind_all<A>(addresses: impl IntoIterator<Item = A>, service: S) -> Result<Self, Error>
    where
        T: Bind<A>,
    {
        Self::options().bind_all(addresses, service)
    }

    /// Makes a server from a socket that is already bound: a std `TcpListener`, `UdpSocket`,
    /// `UnixListener` or `UnixDatagram`, created elsewhere or inherited (each is `From<OwnedFd>`).
    ///
    /// The socket gets the flag close-on-exec, which inherited sockets lack: without it, a program that a
    /// handler starts keeps the socket open, and clients connect to a server that has ended. To pass the
    /// socket on to a program, remove the flag from [`as_fd`](#method.as_fd) before you start it. Python
    /// leaves the flag as it is, and `subprocess` closes descriptors.
    ///
    /// With options: [`options`](Self::options)`().timeout(..).from_listener(..)`. Options that are set
    /// on a socket before it is bound have no effect. These have:
    /// [`request_queue_size`](ServerOptions::request_queue_size),
    /// [`defer_accept`](ServerOptions::defer_accept),
    /// [`disable_nagle_algorithm`](ServerOptions::disable_nagle_algorithm),
    /// [`max_packet_size`](ServerOptions::max_packet_size), all timeouts
    /// ([`timeout`](ServerOptions::timeout) and so on) and all limits
    /// ([`max_connections`](ServerOptions::max_connections) and so on).
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let server = ThreadingTcpServer::from_listener(listener, service)?.spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] if the socket is of another kind, connected (TCP, Unix streams) or not bound, or the
    /// descriptor is not open, [`Error::Activate`] if it cannot listen, [`Error::Resources`] as for
    /// [`bind`](Self::bind).
    #[doc(alias = "from_socket")]
    #[doc(alias = "fromfd")]
    pub fn from_listener<L>(listener: L, service: S) -> Result<Self, Error>
    where
        T: FromListener<L>,
    {
        Self::options().from_listener(listener, service)
    }

    /// Returns the options, which make a server: `TcpServer::options().request_queue_size(16).bind(...)`.
    ///
    /// See the [example](ServerOptions).
    pub fn options() -> ServerOptions<T, S, M> {
        ServerOptions::new()
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> Server<T, S, M> {
    fn assemble(
        listeners: Listeners<T>,
        service: S,
        strategy: M,
        limits: LimitConfig,
        activate: bool,
    ) -> Result<Self, Error> {
        let addresses = listeners.iter().map(|one| one.server_address().clone());
        let addresses = addresses.map(Into::into).collect();
        let state = ServerState::new(addresses, limits).map_err(|source| Error::Resources {
            what: "descriptors to wake the server",
            source,
        })?;
        let handle = ServerHandle(Arc::new(state));
        servers::register(&handle.0);
        // Child processes of a datagram server reply through the socket of the server.
        let needed_by = (T::KIND == RequestKind::Datagram).then(|| handle.0.id());
        let close_on_fork = listeners.iter();
        let close_on_fork =
            close_on_fork.map(|one| close_on_fork::close_on_fork([&one.as_fd()], needed_by));
        let close_on_fork = close_on_fork.collect();
        let (listeners, service) = (Arc::new(listeners), Arc::new(service));
        let handshakes = Arc::new(Handshakes::new());
        let drain_backlog =
            backlog::drain_on_close(&listeners, &service, &handle, &handshakes, close_on_fork);
        if T::KIND == RequestKind::Connection {
            // On failure, clients are not rejected while there are no descriptors; all else works.
            handle.0.reserve.refill();
        }
        let server = Self {
            listeners,
            drain: DrainOnDrop::new(&handle, strategy, drain_backlog),
            service,
            handle,
            handshakes,
            activated: AtomicBool::new(false),
            poll_interval: Some(DEFAULT_POLL_INTERVAL),
            handle_request_timeout: None,
        };
        if activate {
            server.server_activate()?;
        }
        Ok(server)
    }

    // ---- observing ----

    /// Returns the address that the server is bound to. If port 0 was requested, it has the port that
    /// the system selected. Python: the `server_address` attribute.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?;
    /// assert_ne!(server.server_address().port(), 0);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn server_address(&self) -> &T::Address {
        self.listeners.first().server_address()
    }

    /// Returns all addresses that the server is bound to, in the order of [`bind`](Self::bind). The first is
    /// the [`server_address`](Self::server_address).
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind(["127.0.0.1:0", "127.0.0.1:0"], service)?;
    /// for address in server.server_addresses() {
    ///     println!("listening on {address}");
    /// }
    /// assert_eq!(server.server_addresses().count(), 2);
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "sockets")]
    pub fn server_addresses(&self) -> impl Iterator<Item = &T::Address> {
        self.listeners.iter().map(Transport::server_address)
    }

    /// Returns the service that was passed to `bind`, for access to shared state outside the handlers.
    ///
    /// See the [example](crate::handler_fn_with).
    pub fn service(&self) -> &Arc<S> {
        &self.service
    }

    /// Returns a handle that stops and observes the server from other threads.
    ///
    /// See the [example](Server).
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Requests that `serve_forever` return: see [`ServerHandle::shutdown`].
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?;
    /// server.shutdown(); // remembered until the server serves
    /// server.serve_forever()?; // returns at once
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "_BaseServer__shutdown_request")]
    pub fn shutdown(&self) {
        self.handle.shutdown();
    }

    /// Returns the present values of the counters.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// assert!(server.handle().wait_until_idle(None));
    /// assert_eq!(server.stats().completed, 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "_threads")]
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }

    // ---- serving ----

    /// Makes the bound socket listen: for servers with [`activate(false)`](ServerOptions::activate).
    /// Does nothing if it listens already.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::options().activate(false).bind("127.0.0.1:0", service)?;
    /// assert!(std::net::TcpStream::connect(server.server_address()).is_err());
    /// server.server_activate()?;
    /// let server = server.spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Activate`].
    pub fn server_activate(&self) -> Result<(), Error> {
        if self.activated.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        self.listeners.activate().map_err(|(transport, source)| {
            self.activated.store(false, Ordering::SeqCst);
            Error::Activate {
                address: transport.server_address().to_string(),
                source,
            }
        })
    }

    /// Serves until [`ServerHandle::shutdown`] is called. The socket stays open, so the method can be
    /// called again. Dropping the server closes the socket.
    ///
    /// Under [`Sequential`](crate::Sequential), this call runs the handlers. It returns when the present handler
    /// returns; if that neither reads nor writes, this can be later than the
    /// [grace period](Self::grace_period). [`spawn`](Self::spawn) and [`RunningServer::join`] return in time.
    ///
    /// See the [example](Server).
    ///
    /// # Errors
    ///
    /// [`Error::Accept`] if the listening socket has become unusable or the strategy's
    /// [`wait`](Strategy::wait) fails, [`Error::Resources`] if a strategy with accept loops of its own
    /// gets no thread, [`Error::AlreadyServing`], [`Error::NotActivated`], [`Error::Signal`] in a process
    /// forked after [`shutdown_on_ctrl_c`](Self::shutdown_on_ctrl_c). Errors of clients and handlers do not
    /// end it.
    pub fn serve_forever(&self) -> Result<(), Error> {
        self.check_can_serve()?;
        self.accept_loop().serve_forever()
    }

    /// Waits for one request and passes it to the strategy. With [`Sequential`](crate::Sequential) the
    /// request has been served when this returns; with other strategies it has been started. If the
    /// server is closed right afterwards, the request gets only the
    /// [grace period](Self::grace_period). A program that serves one request and ends uses a sequential
    /// server or `grace_period(Duration::MAX)`.
    ///
    /// It waits for the [`handle_request_timeout`](Self::handle_request_timeout), or for the receive
    /// timeout of the socket itself if that is set and shorter. Then it calls
    /// [`Service::handle_timeout`]. Clients that disconnect before they are accepted do not count.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// # use std::time::Duration;
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.handle_request_timeout(Duration::ZERO);
    /// assert_eq!(server.handle_request()?, Handled::Timeout);
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(server.handle_request()?, Handled::Request);
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`serve_forever`](Self::serve_forever).
    #[doc(alias = "_handle_request_noblock")]
    pub fn handle_request(&self) -> Result<Handled, Error> {
        self.check_can_serve()?;
        self.accept_loop()
            .handle_request(self.handle_request_timeout)
    }

    /// Serves on a new thread and returns at once: for tests, and for programs that do something else
    /// meanwhile. Clients can connect when it returns, and before that: the server listens since
    /// [`bind`](Self::bind). Dropping the result stops the server, closes it and waits for running requests, so it
    /// is kept in a variable with a name: `let _server = ...` keeps it, `let _ = ...` stops it at once.
    /// Python: `threading.Thread(target=server.serve_forever).start()`.
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
    /// [`Error::Resources`] if the thread cannot be started, [`Error::AlreadyServing`] in a forked child
    /// process, [`Error::NotActivated`], [`Error::Signal`] as for [`serve_forever`](Self::serve_forever).
    #[doc(alias = "serve_forever_thread")]
    #[doc(alias = "Thread")]
    #[doc(alias = "start")]
    pub fn spawn(self) -> Result<RunningServer<T, S, M>, Error> {
        self.check_can_serve()?;
        RunningServer::start(self)
    }

    /// Stops `serve_forever` at Ctrl-C (SIGINT), SIGTERM and SIGHUP; a second signal, at least 100 ms
    /// later, ends the process at once, with status 130. `handle_request` returns [`Handled::Shutdown`].
    ///
    /// The library installs a signal handler only in this method and in [`shutdown_on`](Self::shutdown_on). It uses the `ctrlc` crate, and the
    /// handler replaces that of the whole process. The method can be called for several servers. A program
    /// that becomes a daemon by `fork` calls it afterwards. A signal that is ignored stays ignored: SIGHUP
    /// under `nohup`; SIGINT after `trap '' INT`, and in a program that a script starts with `&`.
    ///
    /// > **Coming from Python.** In Python, Ctrl-C raises `KeyboardInterrupt` in the main thread. Here
    /// > `serve_forever` returns `Ok`.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?;
    /// server.shutdown_on_ctrl_c()?;
    /// # server.shutdown();
    /// server.serve_forever()?; // until Ctrl-C
    /// assert!(server.handle().is_shutting_down());
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Signal`] if the program uses `ctrlc` itself (it can call [`ServerHandle::shutdown`] from
    /// its own handler), and in a process forked from one that has called this method.
    #[doc(alias = "gevent.signal_handler")]
    #[doc(alias = "KeyboardInterrupt")]
    #[doc(alias = "SIGINT")]
    #[doc(alias = "SIGTERM")]
    pub fn shutdown_on_ctrl_c(&self) -> Result<(), Error> {
        self.shutdown_on(StopSignal::ALL)
    }

    /// Stops the server at these signals only, as [`shutdown_on_ctrl_c`](Self::shutdown_on_ctrl_c) does at all of
    /// them. Other signals keep their effect: without a handler, they end the process at once.
    ///
    /// ```
    /// # use socketserver::{Request, StopSignal, TcpRequest, TcpServer, handler_fn};
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?;
    /// server.shutdown_on([StopSignal::Interrupt])?; // SIGTERM ends the process without a grace period
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    ///
    /// Signals belong to the process: each signal that one server of the program has named stops all servers that
    /// have called one of the two methods. Python: `signal.signal(signal.SIGINT, ..)`.
    ///
    /// # Errors
    ///
    /// As for [`shutdown_on_ctrl_c`](Self::shutdown_on_ctrl_c).
    #[doc(alias = "signal.signal")]
    pub fn shutdown_on(&self, signals: impl IntoIterator<Item = StopSignal>) -> Result<(), Error> {
        ctrl_c::shutdown_on(signals, &self.handle)
    }

    /// Closes the server and returns a report. Dropping the server does the same, without a report. The
    /// steps:
    ///
    /// 1. The [connections in the backlog](Self::backlog_policy) are served or rejected, and the
    ///    listening socket is closed.
    /// 2. Running requests may end within the [grace period](Self::grace_period).
    /// 3. The remaining connections are force-closed. Reads and writes of their handlers fail with
    ///    [`ShuttingDown`](crate::ShuttingDown).
    /// 4. Requests that still run after the [`force_close_timeout`](Self::force_close_timeout), because
    ///    their handlers neither read nor write, are abandoned: they are reported, and run until the
    ///    program ends.
    ///
    /// It does not wait for threads that handlers have started. The [counters](ServerHandle::stats) can
    /// be read afterwards through a [`handle`](Self::handle) that was taken before.
    ///
    /// See the [example](Server).
    #[doc(alias = "__exit__")]
    pub fn server_close(self) -> DrainReport {
        let Self {
            listeners,
            mut drain,
            ..
        } = self;
        drop(listeners);
        drain.drain()
    }

    fn check_can_serve(&self) -> Result<(), Error> {
        if !self.activated.load(Ordering::SeqCst) {
            return Err(Error::NotActivated);
        }
        ctrl_c::check()
    }

    fn accept_loop(&self) -> AcceptLoop<T, S> {
        let strategy = Arc::clone(&self.drain.strategy);
        AcceptLoop {
            listeners: Arc::clone(&self.listeners),
            service: Arc::clone(&self.service),
            strategy,
            handle: self.handle.clone(),
            poll_interval: self.poll_interval,
            handshakes: Arc::clone(&self.handshakes),
        }
    }
}

#[cfg(unix)]
impl<T: Transport, S: Service<T::Request>> Server<T, S, Forking> {
    /// Sets how many child processes may run at the same time: see [`Forking::max_children`].
    ///
    /// See the [example](Forking::active_children).
    pub fn max_children(self, max_children: usize) -> Self {
        self.drain.strategy.set_max_children(max_children);
        self
    }

    /// Returns the process ids of the running child processes: see [`Forking::active_children`].
    ///
    /// See the [example](Forking::active_children).
    pub fn active_children(&self) -> Vec<u32> {
        self.drain.strategy.active_children()
    }
}

impl_as_fd!(
    /// The listening socket, the first if there are several, for example to wait for several servers at once or to read its options. Python:
    /// `fileno()`. (Datagrams that [`serve_forever`](Server::serve_forever) had received when it was stopped
    /// do not make it readable. The next call serves them.)
    {T: Transport, S: Service<T::Request>, M: Strategy} Server<T, S, M>,
    listeners
);

impl<T: Transport, S: Service<T::Request>, M: Strategy> fmt::Debug for Server<T, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("server_address", self.server_address())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
