//! The options of a server before it is bound: the builder and the socket options.

mod access;
mod limits;
#[cfg(feature = "proxy-protocol")]
mod proxy_protocol;
#[cfg(unix)]
mod socket_file;
mod timeouts;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::address::SocketAddress;
use crate::error::{Error, GIVEN_SOCKET, with_advice};
use crate::server::Server;
use crate::server::backlog_policy::BacklogPolicy;
use crate::server::listeners::Listeners;
use crate::service::Service;
use crate::state::limits::LimitConfig;
use crate::strategy::Strategy;
use crate::sys::fd::BorrowedFd;
use crate::transport::{
    BeforeBind, Bind, Datagram, FromListener, Inet, SocketOptions, Stream, Tcp, Transport,
};

/// The options of a server that is going to be bound, from [`Server::options`]: socket options,
/// timeouts and limits.
///
/// Everything about sockets and clients is set here, before [`bind`](Self::bind), so that it applies to
/// the first client too. How the server runs and stops ([`strategy`](Server::strategy),
/// [`poll_interval`](Server::poll_interval), [`grace_period`](Server::grace_period) and so on) is set on
/// the [`Server`] before it serves. Options of threads and child processes are methods of the
/// strategies. Each transport has only the options that its sockets have.
///
/// ```
/// # use socketserver::{Request, TcpRequest, handler_fn};
/// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
/// use socketserver::ThreadingTcpServer;
/// use std::time::Duration;
///
/// let server = ThreadingTcpServer::options()
///     .request_queue_size(64)
///     .timeout(Duration::from_secs(30))
///     .max_connections(500)
///     .bind("127.0.0.1:0", service)?
///     .grace_period(Duration::from_secs(10));
/// # let _ = server;
/// # Ok::<(), socketserver::BoxError>(())
/// ```
///
/// | option | Python's default | default here | reason of the difference |
/// | --- | --- | --- | --- |
/// | [`allow_reuse_address`](Self::allow_reuse_address), TCP | `False` | `true` | without it a restarted server gets "address already in use" for a minute |
/// | [`allow_reuse_address`](Self::allow_reuse_address), UDP | `False` | `false` | |
/// | [`allow_reuse_port`](Self::allow_reuse_port) | `False` | `false` | |
/// | [`only_v6`](Self::only_v6) | the system's | the system's (Linux and macOS: `false`; Windows and the BSDs: `true`); with several addresses `true` | each family has its own socket |
/// | [`request_queue_size`](Self::request_queue_size) | 5; `SOMAXCONN` since 3.15 | `SOMAXCONN` (4096 on Linux) | with 5, bursts of clients are dropped |
/// | [`disable_nagle_algorithm`](Self::disable_nagle_algorithm) | `False` | `true` | otherwise small answers wait for acknowledgements, up to 40 ms |
/// | [`defer_accept`](Self::defer_accept) | off | off | |
/// | [`timeout`](Self::timeout) | `None` | none (Unix datagram replies: 1 s) | Python waits for ever for a Unix datagram client that does not read |
/// | [`read_timeout`](Self::read_timeout), [`write_timeout`](Self::write_timeout) | one `timeout` for both: `None` | none | |
/// | [`first_byte_timeout`](Self::first_byte_timeout), [`idle_timeout`](Self::idle_timeout) | not available | none: `read_timeout` applies | |
/// | [`request_timeout`](Self::request_timeout) | not available | none | |
/// | [`linger`](Self::linger) | not available | none | |
/// | [`max_packet_size`](Self::max_packet_size) | 8192 | 65535; Unix sockets 256 KiB | Python truncates longer datagrams without notice |
/// | [`replace_stale`](Self::replace_stale), [`remove_on_close`](Self::remove_on_close), Unix sockets | not available | `false` | |
/// | [`mode`](Self::mode), [`owner`](Self::owner), [`group`](Self::group), Unix sockets | not available | those of the process | |
/// | [`max_connections`](Self::max_connections), [`max_per_client`](Self::max_per_client), [`accept_rate`](Self::accept_rate) | not available | none | |
/// | [`access_list`](Self::access_list) | not available | empty: all clients are admitted | |
#[must_use = "options do nothing until `bind`"]
pub struct ServerOptions<T, S, M> {
    socket: SocketOptions,
    limits: LimitConfig,
    activate: bool,
    server: PhantomData<(T, S, M)>,
}

impl<T: Transport, S: Service<T::Request>, M: Strategy + Default> ServerOptions<T, S, M> {
    pub(super) fn new() -> Self {
        Self {
            socket: T::default_options(),
            limits: LimitConfig::default(),
            activate: true,
            server: PhantomData,
        }
    }

    /// Sets whether the server listens right after binding. Default: `true`. With `false`, the kernel
    /// rejects clients until [`Server::server_activate`] is called. Python: `bind_and_activate`.
    ///
    /// See the [example](Server::server_activate).
    #[doc(alias = "bind_and_activate")]
    pub fn activate(mut self, activate: bool) -> Self {
        self.activate = activate;
        self
    }

    /// Sets a function that is called with the socket after its options are set and before it is bound:
    /// for socket options that have no method here. They can be set with the crate `socket2`, for
    /// example, which the program then lists among its own dependencies. Python: overriding
    /// `server_bind`.
    ///
    /// If the function returns an error, binding fails with [`Error::Bind`].
    ///
    /// ```
    /// # use socketserver::{Request, UdpRequest, UdpServer, handler_fn};
    /// # let service = handler_fn(|request: &mut UdpRequest| Ok(request.send_all(b"hi")?));
    /// let server = UdpServer::options()
    ///     .before_bind(|socket| socket2::SockRef::from(&socket).set_recv_buffer_size(1 << 20))
    ///     .bind("127.0.0.1:0", service)?;
    /// # let _ = server;
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    #[doc(alias = "server_bind")]
    #[doc(alias = "setsockopt")]
    pub fn before_bind(
        mut self,
        configure: impl Fn(BorrowedFd<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.socket.before_bind = Some(BeforeBind::new(configure));
        self
    }

    /// Binds the server. It also listens, unless [`activate(false)`](Self::activate) was set. See
    /// [`Server::bind`].
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// As for [`Server::bind`].
    pub fn bind<A>(self, address: A, service: S) -> Result<Server<T, S, M>, Error>
    where
        T: Bind<A>,
    {
        self.assemble(service, |socket| T::server_bind_all(address, socket))
    }

    /// Binds one server to all addresses of an iterator: see [`Server::bind_all`].
    ///
    /// See the [example](Server::bind_all).
    ///
    /// # Errors
    ///
    /// As for [`Server::bind_all`].
    #[doc(alias = "create_server")]
    pub fn bind_all<A>(
        self,
        addresses: impl IntoIterator<Item = A>,
        service: S,
    ) -> Result<Server<T, S, M>, Error>
    where
        T: Bind<A>,
    {
        let addresses: Vec<A> = addresses.into_iter().collect();
        self.assemble(service, |socket| {
            let options = socket.for_sockets(addresses.len());
            let bind = |address| T::server_bind_all(address, &options);
            let bound: Result<Vec<_>, _> = addresses.into_iter().map(bind).collect();
            Ok(bound?.into_iter().flatten().collect())
        })
    }

    /// Makes a server of the transports that `bind` returns. If this fails, nothing stays bound.
    fn assemble(
        mut self,
        service: S,
        bind: impl FnOnce(&SocketOptions) -> Result<Vec<T>, Error>,
    ) -> Result<Server<T, S, M>, Error> {
        let is_complete = Arc::<AtomicBool>::default();
        self.socket.is_complete = Some(Arc::clone(&is_complete));
        let listeners = Listeners::new(bind(&self.socket)?)?;
        let server =
            Server::assemble(listeners, service, M::default(), self.limits, self.activate)?;
        is_complete.store(true, Ordering::SeqCst);
        Ok(server)
    }

    /// Makes a server from a socket that is already bound. Options that are set on a socket before it is
    /// bound have no effect. See [`Server::from_listener`].
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let server = ThreadingTcpServer::options().max_connections(10).from_listener(listener, service)?;
    /// let server = server.spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Server::from_listener`].
    pub fn from_listener<L>(self, listener: L, service: S) -> Result<Server<T, S, M>, Error>
    where
        T: FromListener<L>,
    {
        let transport = T::from_listener(listener, &self.socket)?;
        let address: SocketAddress = transport.server_address().clone().into();
        if !address.is_bound() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "the socket is not bound");
            let advice = "it has no address: bind it first, or use `bind`, which makes a socket";
            return Err(Error::Bind {
                address: GIVEN_SOCKET.into(),
                source: with_advice(error, advice),
            });
        }
        let listeners = Listeners::new([transport])?;
        let server =
            Server::assemble(listeners, service, M::default(), self.limits, self.activate)?;
        // Another process may have this socket too.
        Ok(server.backlog_policy(BacklogPolicy::Leave))
    }
}

/// # Socket options
impl<T, S, M> ServerOptions<T, S, M> {
    /// Sets `SO_REUSEADDR`. Default: `true` for TCP (Python: `False`), `false` for UDP.
    ///
    /// With it, a TCP server can be restarted while connections of the previous server are still in
    /// `TIME_WAIT`. Two TCP servers that listen on one port remain an error. Two UDP servers could share
    /// a port, and one of them would receive all datagrams.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::options().allow_reuse_address(false).bind("127.0.0.1:0", service)?;
    /// # let server = server.spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "SO_REUSEADDR")]
    pub fn allow_reuse_address(mut self, allow: bool) -> Self
    where
        T: Inet,
    {
        self.socket.allow_reuse_address = allow;
        self
    }

    /// Sets `SO_REUSEPORT` (on FreeBSD `SO_REUSEPORT_LB`): several servers share a port, also servers of several
    /// processes of one user, and the kernel of Linux and FreeBSD distributes clients among them. On macOS, one of
    /// the servers gets all clients. Default: `false`, as in Python, because a second server that is started by
    /// accident would get clients without notice.
    ///
    /// With it, a new version can start before the old version stops, so that at any time a server
    /// listens; both need the option. The old server serves the connections in its own backlog
    /// ([`backlog_policy`](Server::backlog_policy)). A client that connects at the moment when the old
    /// server closes may need a second more, until the kernel tries again (Linux).
    ///
    /// Unix sockets do not have this option, so their servers do not have this method; see
    /// [`replace_stale`](Self::replace_stale).
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let hello = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let options = || TcpServer::options().allow_reuse_port(true);
    /// let old = options().bind("127.0.0.1:0", hello())?;
    /// let new = options().bind(old.server_address(), hello())?;
    /// assert_eq!(old.server_address(), new.server_address());
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "SO_REUSEPORT")]
    pub fn allow_reuse_port(mut self, allow: bool) -> Self
    where
        T: Inet,
    {
        self.socket.allow_reuse_port = allow;
        self
    }

    /// Sets `IPV6_V6ONLY`: whether an IPv6 server serves only IPv6 clients. With `false`, a server on
    /// `"[::]:PORT"` also serves IPv4 clients (dual stack), whose addresses look like
    /// `::ffff:127.0.0.1`. Default, as in Python: the system's (Linux and macOS: `false`; Windows and the BSDs:
    /// `true`; OpenBSD has no `false`); for a server with several addresses `true`, so that
    /// `["0.0.0.0:PORT", "[::]:PORT"]` is not in conflict. The option has no effect on
    /// IPv4 sockets.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// # if std::net::UdpSocket::bind("[::1]:0").is_err() {
    /// #     return Ok::<(), BoxError>(()); // this machine has no IPv6
    /// # }
    /// let server = TcpServer::options().only_v6(true).bind("[::]:0", service)?;
    /// assert!(server.server_address().is_ipv6());
    /// # let only_v6 = socket2::SockRef::from(&server).only_v6()?;
    /// # assert!(only_v6);
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "IPV6_V6ONLY")]
    #[doc(alias = "dualstack_ipv6")]
    #[doc(alias = "address_family")]
    pub fn only_v6(mut self, only_v6: bool) -> Self
    where
        T: Inet,
    {
        self.socket.only_v6 = Some(only_v6);
        self
    }

    /// Sets the size of the backlog of `listen(2)`: how many connections may wait to be accepted.
    /// Default: `SOMAXCONN` (4096 on Linux, where the kernel limits it to `net.core.somaxconn`), as in
    /// Python since 3.15; it was 5 before.
    ///
    /// See the [example](Self).
    #[doc(alias = "backlog")]
    pub fn request_queue_size(mut self, connections: u32) -> Self
    where
        T: Stream,
    {
        self.socket.request_queue_size = connections;
        self
    }

    /// Sets the size in bytes beyond which a datagram is truncated, which a handler detects by
    /// [`truncated()`](crate::DatagramRequest::truncated). At most 64 MiB. Default: 65535 for UDP, more
    /// than any UDP datagram can carry, and 256 KiB for Unix sockets, more than clients can send with
    /// the default configuration of Linux (Python: 8192 for both).
    ///
    /// See the [example](crate::DatagramRequest::truncated).
    pub fn max_packet_size(mut self, bytes: usize) -> Self
    where
        T: Datagram,
    {
        self.socket.max_packet_size = bytes;
        self
    }
}

/// # Socket options of TCP
impl<S, M> ServerOptions<Tcp, S, M> {
    /// Sets `TCP_NODELAY` on accepted connections: small writes are sent at once instead of waiting for
    /// the acknowledgement of the previous write. Default: `true` (Python: `False`), because each write
    /// of a request is usually a complete message; `write!` sends its whole text in one write too.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let nodelay = request.socket().nodelay()?;
    ///     Ok(write!(request, "{nodelay}")?)
    /// });
    /// let server = TcpServer::options().disable_nagle_algorithm(false).bind("127.0.0.1:0", service)?;
    /// # let server = server.spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "false");
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "TCP_NODELAY")]
    pub fn disable_nagle_algorithm(mut self, disable: bool) -> Self {
        self.socket.disable_nagle_algorithm = disable;
        self
    }

    /// Sets `TCP_DEFER_ACCEPT`: the server accepts a client when its first bytes have arrived, or its
    /// end of stream, or after this time. Until then the client occupies no thread, process or
    /// descriptor, and its [`timeout`](Self::timeout) has not started. Default: `None`, so that a client
    /// is accepted when it connects, as in Python, where this is a `setsockopt`. Zero has the same
    /// effect.
    ///
    /// For protocols in which **the client speaks first**, on servers whose clients may connect and
    /// send nothing. In protocols in which the server speaks first, each client gets its greeting only
    /// after this time. Clients see no difference: they are connected at once.
    ///
    /// The time is rounded up, because Linux checks only 1, 3, 7, 15, 31 and so on seconds after the
    /// client has connected.
    ///
    /// Linux only. On other systems binding fails with [`Error::Bind`], of kind
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # use std::time::Duration;
    /// # fn main() -> Result {
    /// # if !cfg!(target_os = "linux") {
    /// #     return Ok(());
    /// # }
    /// let echo = handler_fn(|request: &mut TcpRequest| {
    ///     let line = request.readline(100)?; // has arrived already
    ///     Ok(request.send_all(line)?)
    /// });
    /// let server = TcpServer::options().defer_accept(Duration::from_secs(3)).bind("127.0.0.1:0", echo)?;
    /// # let server = server.spawn()?;
    /// let mut client = std::net::TcpStream::connect(server.server_address())?;
    /// client.write_all(b"hello\n")?;
    /// assert_eq!(std::io::read_to_string(client)?, "hello\n");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_DEFER_ACCEPT")]
    pub fn defer_accept(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.socket.defer_accept = time.into();
        self
    }
}

impl<T, S, M> fmt::Debug for ServerOptions<T, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("socket", &self.socket)
            .field("limits", &self.limits)
            .field("activate", &self.activate)
            .finish()
    }
}
