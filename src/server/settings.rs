//! The settings of a server: how it runs and stops.

use std::time::Duration;

use crate::server::Server;
use crate::server::backlog_policy::BacklogPolicy;
use crate::service::Service;
#[cfg(doc)]
use crate::state::ServerHandle;
use crate::state::ShutdownConfig;
use crate::strategy::Strategy;
use crate::transport::Transport;

/// # Settings
///
/// How the server runs and stops is set on the server before it serves. Everything about sockets and
/// clients (options, timeouts, limits) is set before `bind`, in [`ServerOptions`](crate::ServerOptions).
impl<T: Transport, S: Service<T::Request>, M: Strategy> Server<T, S, M> {
    /// Sets the strategy, which decides where requests run. Python: another mix-in class.
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
            drain: self.drain.with(strategy),
            listeners: self.listeners,
            service: self.service,
            handle: self.handle,
            handshakes: self.handshakes,
            activated: self.activated,
            poll_interval: self.poll_interval,
            handle_request_timeout: self.handle_request_timeout,
        }
    }

    /// Sets the longest time between two calls of [`Service::service_actions`] while no request comes.
    /// With `None` or [`Duration::MAX`] it is called only after requests. With zero it is called without a pause,
    /// which uses a whole processor, as in Python. Default: 0.5 s, as in Python.
    ///
    /// It does not delay a stop, because [`ServerHandle::shutdown`] wakes the server at once. In Python
    /// it is an argument of `serve_forever`, and `shutdown` takes up to this time.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// use std::{sync::{Arc, atomic::{AtomicU32, Ordering}}, time::Duration};
    ///
    /// #[derive(Default)]
    /// struct Ticking(AtomicU32);
    /// # #[derive(Default)]
    /// # struct Hello;
    /// # impl RequestHandler<TcpRequest> for Hello {
    /// #     fn handle(&mut self, _: &mut TcpRequest) -> Result {
    /// #         Ok(())
    /// #     }
    /// # }
    /// impl Service<TcpRequest> for Ticking {
    ///     type Handler = Hello;
    ///     fn request_handler(self: &Arc<Self>) -> Hello {
    ///         Hello
    ///     }
    ///     fn service_actions(&self) {
    ///         self.0.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let server = TcpServer::bind("127.0.0.1:0", Ticking::default())?
    ///     .poll_interval(Duration::from_millis(1))
    ///     .spawn()?;
    /// socketserver::testing::wait_until("ten ticks", || server.service().0.load(Ordering::Relaxed) >= 10);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn poll_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.poll_interval = interval.into();
        self
    }

    /// Sets how long [`handle_request`](Self::handle_request) waits for a request. `None`, the default
    /// (as in Python), means without limit, and so does [`Duration::MAX`]. With zero it accepts a request only if
    /// one is in the backlog already. Python: the server's `timeout` attribute.
    ///
    /// `serve_forever` ignores it. The timeout of a client's reads and writes is
    /// [`ServerOptions::timeout`](crate::ServerOptions::timeout).
    ///
    /// See the [example](Self::handle_request).
    #[doc(alias = "timeout")]
    pub fn handle_request_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.handle_request_timeout = timeout.into();
        self
    }

    /// Sets the grace period: how long a stop waits for running requests before it force-closes them.
    /// It starts when the stop is requested, or, without a request, when the server is closed. Default:
    /// 2 s. Python has no limit, so it hangs for as long as one client stays connected;
    /// [`Duration::MAX`] does the same here. With zero, running requests are force-closed at once.
    ///
    /// It also limits how long a request that runs in the accept loop itself
    /// ([`Sequential`](crate::Sequential)) can delay the end of
    /// [`serve_forever`](Self::serve_forever).
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # use std::time::Duration;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?
    ///     .lame_duck(Duration::from_millis(10))
    ///     .grace_period(Duration::from_secs(10))
    ///     .force_close_spread(Duration::from_secs(1))
    ///     .spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// let report = server.stop()?;
    /// assert!(report.took >= Duration::from_millis(10) && report.force_closed.is_empty());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn grace_period(self, grace_period: Duration) -> Self {
        self.configure_shutdown(|config| config.grace_period = grace_period)
    }

    /// Makes a stop do what CPython's `server_close` does, by these settings:
    ///
    /// | setting | meaning |
    /// | --- | --- |
    /// | [`grace_period(Duration::MAX)`](Self::grace_period) | it waits for running requests without a limit |
    /// | [`backlog_policy(BacklogPolicy::Leave)`](Self::backlog_policy) | the kernel resets the clients in the backlog |
    /// | [`block_on_close(true)`](Self::block_on_close) | it waits at all |
    /// | [`lame_duck(Duration::ZERO)`](Self::lame_duck) | it stops accepting at once |
    ///
    /// Then a client that stays connected and sends nothing delays the stop for as long as it likes.
    /// A program with `daemon_threads = True` or `block_on_close = False` then calls
    /// [`block_on_close(false)`](Self::block_on_close).
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     request.send_all("ready\n")?;
    ///     let line = request.readline(100)?;
    ///     Ok(request.send_all(line)?)
    /// });
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.stop_as_python().spawn()?;
    /// let mut client = std::net::TcpStream::connect(server.server_address())?;
    /// # client.read_exact(&mut [0; 6])?;
    /// let stopped = std::thread::spawn(|| server.stop()); // waits for the client
    /// client.write_all(b"bye\n")?;
    /// let report = stopped.join().unwrap()?;
    /// assert_eq!(std::io::read_to_string(client)?, "bye\n");
    /// assert!(report.force_closed.is_empty());
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "server_close")]
    pub fn stop_as_python(self) -> Self {
        self.grace_period(Duration::MAX)
            .backlog_policy(BacklogPolicy::Leave)
            .block_on_close(true)
            .lame_duck(Duration::ZERO)
    }

    /// Sets how long the server continues to accept after a stop was requested, while
    /// [`ServerHandle::is_ready`] is already `false`. A load balancer can use this time to notice and to
    /// send clients elsewhere. The [grace period](Self::grace_period) starts afterwards. Default: zero, as
    /// in Python. With [`Duration::MAX`], only a second signal ends the process.
    ///
    /// See the [example](Self::grace_period).
    #[doc(alias = "preStop")]
    pub fn lame_duck(self, time: Duration) -> Self {
        self.configure_shutdown(|config| config.lame_duck = time)
    }

    /// Sets the time over which the connections that remain after the
    /// [grace period](Self::grace_period) are force-closed, one after the other, so that their clients do
    /// not all reconnect at the same time. Default: zero, all at once. With [`Duration::MAX`], only the first
    /// connection is force-closed, and the stop waits for the others without limit. Nothing in Python.
    ///
    /// If one of the connections delays an accept loop, as
    /// [`verify_request`](crate::Service::verify_request) can, all are force-closed at once, because the
    /// loop has to end first.
    ///
    /// See the [example](Self::grace_period).
    pub fn force_close_spread(self, time: Duration) -> Self {
        self.configure_shutdown(|config| config.force_close_spread = time)
    }

    /// Sets how long force-closed requests may take to end. After that they are abandoned, together with
    /// the threads that run them. Default: 150 ms, which is enough for a handler that reads or writes.
    /// For a handler that only computes, the stop waits for this time in vain. With zero, handlers have 20 ms.
    /// With [`Duration::MAX`], the stop waits until all have returned. Nothing in Python.
    ///
    /// ```
    /// # use socketserver::{Request, TcpRequest, ThreadingTcpServer, handler_fn};
    /// # use std::time::Duration;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
    /// # let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?;
    /// // Disconnects the clients at once, but waits until the last handler has returned.
    /// let server = server.grace_period(Duration::ZERO).force_close_timeout(Duration::MAX);
    /// # let _ = server;
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    pub fn force_close_timeout(self, time: Duration) -> Self {
        self.configure_shutdown(|config| config.force_close_timeout = time)
    }

    fn configure_shutdown(self, change: impl FnOnce(&mut ShutdownConfig)) -> Self {
        self.handle.0.life_cycle.configure_shutdown(change);
        self
    }

    /// Sets what the server does, when it is closed, about connections in the backlog: clients that have
    /// connected, may have sent a request, and have not been accepted. Default:
    /// [`BacklogPolicy::Serve`]; for a socket [bound elsewhere](Self::from_listener)
    /// [`BacklogPolicy::Leave`], because another process may have the socket too and serve them. Python
    /// resets them, so their requests are lost.
    ///
    /// Datagrams that have arrived by then are treated in the same way. Datagrams for which the grace
    /// period is too short are counted in
    /// [`RejectionCounts::closing`](crate::RejectionCounts::closing). Datagrams that the kernel dropped
    /// because its buffer was full are not counted, because it does not report them.
    ///
    /// From the moment when the server begins to close, no new connections enter the backlog: the kernel
    /// does not answer clients (TCP on Linux) or rejects them (Unix sockets), until the socket is closed.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?
    ///     .backlog_policy(BacklogPolicy::Reject(Rejection::message("the server stops")));
    /// let client = std::net::TcpStream::connect(server.server_address())?; // waits in the backlog
    /// server.server_close();
    /// assert_eq!(std::io::read_to_string(client)?, "the server stops");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn backlog_policy(mut self, policy: BacklogPolicy) -> Self {
        self.drain.backlog_policy = policy;
        self
    }

    /// Sets whether closing the server waits for running requests. Default: `true`, as in Python. With
    /// `false` they continue and are not force-closed; they end at the latest when `main` returns. (A
    /// request that runs in the accept loop itself is force-closed in any case, because the loop has to
    /// end before the server can be closed.)
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// let echo = handler_fn(|request: &mut TcpRequest| {
    ///     request.send_all("ready\n")?;
    ///     let line = request.readline(100)?;
    ///     Ok(request.send_all(line)?)
    /// });
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", echo)?.block_on_close(false).spawn()?;
    /// let mut client = std::net::TcpStream::connect(server.server_address())?;
    /// # client.read_exact(&mut [0; 6])?;
    /// server.stop()?; // does not wait for the client
    /// client.write_all(b"still served\n")?;
    /// assert_eq!(std::io::read_to_string(client)?, "still served\n");
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "daemon_threads")]
    pub fn block_on_close(mut self, block: bool) -> Self {
        self.drain.block_on_close = block;
        self
    }
}
