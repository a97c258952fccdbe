//! What can be chosen before a server is bound.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::address::SocketAddress;
use crate::error::Error;
use crate::server::Server;
use crate::server::backlog::BacklogPolicy;
use crate::service::Service;
use crate::state::OverloadPolicy;
use crate::state::Rejection;
use crate::state::limits::LimitConfig;
use crate::state::limits::TokenBucket;
use crate::strategy::Strategy;
use crate::transport::{
    BeforeBind, Bind, Datagram, FromListener, Inet, SocketOptions, Stream, Tcp, Transport,
};
use std::time::Instant;

/// The options of a server that have to be known before its socket is bound, from
/// [`Server::options`]. Each transport has those that mean something to it.
///
/// ```
/// # use socketserver::{Request, TcpRequest, TcpServer, handler_fn};
/// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
/// use std::time::Duration;
///
/// let server = TcpServer::options()
///     .request_queue_size(64)
///     .timeout(Duration::from_secs(30))
///     .bind("127.0.0.1:0", service)?;
/// # let _ = server;
/// # Ok::<(), socketserver::BoxError>(())
/// ```
///
/// | option | Python's default | ours | why it differs |
/// | --- | --- | --- | --- |
/// | [`allow_reuse_address`](Self::allow_reuse_address), TCP | `False` | `true` | without it a restarted server gets "address already in use" for a minute |
/// | [`allow_reuse_address`](Self::allow_reuse_address), UDP | `False` | `false` | |
/// | [`allow_reuse_port`](Self::allow_reuse_port) | `False` | `false` | |
/// | [`only_v6`](Self::only_v6) | the system's | the system's | |
/// | [`request_queue_size`](Self::request_queue_size) | 5; `SOMAXCONN` since 3.15 | `SOMAXCONN` (4096 on Linux) | bursts of clients were dropped |
/// | [`disable_nagle_algorithm`](Self::disable_nagle_algorithm) | `False` | `true` | small answers waited for acknowledgements, 40 ms at worst |
/// | [`defer_accept`](Self::defer_accept) | off | off | |
/// | [`timeout`](Self::timeout) | `None` | none (Unix datagram replies: 1 s) | Python waits for ever for a Unix datagram client that does not read |
/// | [`read_timeout`](Self::read_timeout), [`write_timeout`](Self::write_timeout) | one `timeout` for both: `None` | none | |
/// | [`first_byte_timeout`](Self::first_byte_timeout), [`idle_timeout`](Self::idle_timeout) | there are none | none: `read_timeout` counts | |
/// | [`request_timeout`](Self::request_timeout) | there is none | none | |
/// | [`linger`](Self::linger) | there is none | none | |
/// | [`max_packet_size`](Self::max_packet_size) | 8192 | 65535; Unix sockets 256 KiB | longer datagrams were cut without a sign |
///
/// Times of connections are options, and so known before the first of them is accepted. What can also be
/// chosen after binding is a method of [`Server`]: [`strategy`](Server::strategy), the limits
/// ([`max_connections`](Server::max_connections) and so on), the times of a stop ([`grace_period`](Server::grace_period)
/// and so on). Options of threads are methods of the strategies.
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

    /// Whether to listen right after binding. Default: `true`. With `false`, clients are rejected
    /// until [`Server::server_activate`] is called. Python: `bind_and_activate`.
    #[doc(alias = "bind_and_activate")]
    pub fn activate(mut self, activate: bool) -> Self {
        self.activate = activate;
        self
    }

    /// Calls `configure` with the socket after its options are set and before it is bound: for
    /// every socket option that has no method here, by way of the crate `socket2`, say, which your program
    /// has to name among its dependencies. Python: overriding `server_bind`.
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

    /// How long each read and each write of a request may wait for the client; `None`, the
    /// default (as in Python): without limit. Zero is an error when binding. Python: `timeout` of `StreamRequestHandler`.
    ///
    /// It is per operation: a client that sends a byte now and then is within it, and not within
    /// [`request_timeout`](Self::request_timeout). A write has it for
    /// all of its data, as `sendall` has in Python. It starts with the connection, so handlers need
    /// not set it; [`Request::set_timeout`] changes it for one
    /// request. Datagram requests never wait to be read; for them it bounds how long sending
    /// may wait, which only Unix sockets do.
    ///
    /// For connections it is short for [`read_timeout`](Self::read_timeout) and
    /// [`write_timeout`](Self::write_timeout); of these and this, the last call counts.
    ///
    /// [`Request::set_timeout`]: crate::Request::set_timeout
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let timeout = timeout.into();
        self.socket.timeouts.read = timeout;
        self.socket.timeouts.write = timeout;
        self
    }

    /// Binds, and listens unless [`activate`](Self::activate) says otherwise. See
    /// [`Server::bind`].
    ///
    /// # Errors
    ///
    /// As for [`Server::bind`].
    pub fn bind<A>(self, address: A, service: S) -> Result<Server<T, S, M>, Error>
    where
        T: Bind<A>,
    {
        let transport = T::server_bind(address, &self.socket)?;
        Server::assemble(transport, service, M::default(), self.limits, self.activate)
    }

    /// Takes over a socket that is bound already. See [`Server::from_listener`]. Of the options,
    /// those that have to be set before binding have no effect.
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
            let source = io::Error::new(io::ErrorKind::InvalidInput, "the socket is not bound");
            let address = "the given socket".into();
            return Err(Error::Bind { address, source });
        }
        let server =
            Server::assemble(transport, service, M::default(), self.limits, self.activate)?;
        // Another process may have this socket, too.
        Ok(server.backlog_policy(BacklogPolicy::Leave))
    }
}

impl<T, S, M> ServerOptions<T, S, M> {
    /// `SO_REUSEADDR`. Default: `true` for TCP (Python: `False`), `false` for UDP.
    ///
    /// For TCP it allows a server to be restarted while connections of the previous one linger in
    /// `TIME_WAIT`; two servers that listen on one port remain an error. For UDP it would let
    /// two servers share a port, of which one gets everything.
    #[doc(alias = "SO_REUSEADDR")]
    pub fn allow_reuse_address(mut self, allow: bool) -> Self
    where
        T: Inet,
    {
        self.socket.allow_reuse_address = allow;
        self
    }

    /// `SO_REUSEPORT`: several servers, also of several processes of one user, share a port, and
    /// the kernel spreads clients over them. Default: `false`, as in Python: a second server
    /// that was started by accident would get half of the clients without anybody noticing.
    ///
    /// With it a new version can be started before the old one is stopped, so that at no time nobody
    /// listens: both need it. The old one serves those who wait in its own queue
    /// ([`backlog_policy`](Server::backlog_policy)); a client who connects just while it closes may take a
    /// second longer, when the kernel tries again (Linux).
    ///
    /// Unix sockets have no such option, so their servers have no such method.
    #[doc(alias = "SO_REUSEPORT")]
    pub fn allow_reuse_port(mut self, allow: bool) -> Self
    where
        T: Inet,
    {
        self.socket.allow_reuse_port = allow;
        self
    }

    /// `IPV6_V6ONLY`: whether an IPv6 server leaves IPv4 clients alone. With `false` a server on
    /// `"[::]:PORT"` serves both (dual stack), and IPv4 clients have addresses such as
    /// `::ffff:127.0.0.1`. Not set, and as in Python, the system decides (Linux: dual stack). No
    /// effect on an IPv4 server.
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

    /// How many connections may wait to be accepted: the backlog of `listen(2)`. Default:
    /// `SOMAXCONN` (4096 on Linux, where the kernel caps it at `net.core.somaxconn`), as in Python
    /// since 3.15; it was 5 before.
    #[doc(alias = "backlog")]
    pub fn request_queue_size(mut self, connections: u32) -> Self
    where
        T: Stream,
    {
        self.socket.request_queue_size = connections;
        self
    }

    /// How long each read of a request may wait for the client; `None`, the default (as in Python):
    /// without limit. Zero is an error when binding. Python has one `timeout` for reads and writes, as
    /// [`timeout`](Self::timeout) is here.
    ///
    /// A client that sends a byte now and then is within it: for that there is
    /// [`request_timeout`](Self::request_timeout). What ran out of it is an error of kind
    /// [`TimedOut`](io::ErrorKind::TimedOut), in which [`TimeoutKind::of`](crate::TimeoutKind::of) finds
    /// [`Read`](crate::TimeoutKind::Read); the handler may go on.
    #[doc(alias = "settimeout")]
    #[doc(alias = "SO_RCVTIMEO")]
    pub fn read_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.read = timeout.into();
        self
    }

    /// How long each write to a client may take, for all of its data; `None`, the default (as in Python):
    /// without limit. Zero is an error when binding. It holds for the handler's own writes and for those
    /// of [`Sender`](crate::Sender)s; waiting while others send to the same client may take as long before.
    /// The error is of kind [`Write`](crate::TimeoutKind::Write). Python has one `timeout` for reads and
    /// writes.
    ///
    /// It is what a chat needs: clients may be silent for as long as they like, but one that does not read
    /// must not hold up those who write to it.
    #[doc(alias = "settimeout")]
    #[doc(alias = "SO_SNDTIMEO")]
    pub fn write_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.write = timeout.into();
        self
    }

    /// How long a client may take to send its first byte, from when it was accepted: against those that
    /// connect and say nothing. `None`, the default: the first read has the time of every other one
    /// ([`read_timeout`](Self::read_timeout)). Zero is an error when binding. The error is of kind
    /// [`FirstByte`](crate::TimeoutKind::FirstByte). Nothing in Python.
    ///
    /// It ends a read, so it is found out when the handler reads. What has come while the request was
    /// waiting for a thread has come in time.
    pub fn first_byte_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.first_byte = timeout.into();
        self
    }

    /// How long to wait, after the handler has returned, for the client to end its side; what it sends
    /// meanwhile is thrown away. `None`, the default, and zero: not at all, as in Python.
    ///
    /// A connection that is closed while the client still sends is reset, and the client may lose the
    /// answer: the end of a long one over TCP, all of it if it has not begun to read. What had arrived
    /// before the close does no harm (up to 1 MiB of it is thrown away in any case). So this is for
    /// protocols in which a server answers before it has read everything: "this is too long" while the
    /// client is still sending it.
    ///
    /// Until then the request occupies its thread, also for a client that just stays connected. A stop ends
    /// the wait after the grace period. Clients that are rejected are not waited for.
    #[doc(alias = "lingering_close")]
    #[doc(alias = "SO_LINGER")]
    pub fn linger(mut self, time: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.linger = time.into();
        self
    }

    /// How long a client may take to ask again: the time of a read that begins after something was
    /// written to the client since its last byte was received. `None`, the default: that of every other
    /// read ([`read_timeout`](Self::read_timeout)). Zero is an error when binding. The error is of kind
    /// [`Idle`](crate::TimeoutKind::Idle); the handler may still say good-bye. Nothing in Python.
    ///
    /// For protocols of question and answer whose clients stay connected: it can be long where the time
    /// in the middle of a question is short, or the other way round. Before the first byte of a client,
    /// a greeting begins nothing. What [`Sender`](crate::Sender)s write counts as an answer, too.
    #[doc(alias = "keepalive")]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.idle = timeout.into();
        self
    }

    /// How long a whole request may take, from when it was accepted to the last read or write of its
    /// handler: also a client that sends, or takes, a byte at a time is cut off by it. `None`, the default:
    /// without limit. Zero is an error when binding. Nothing in Python.
    ///
    /// The read or write in which it is over fails with an error of kind
    /// [`Request`](crate::TimeoutKind::Request), and so does every one after that at once, except that what
    /// was received before can still be read. [`Request::set_timeout`] does not change it. It does not
    /// end a handler that neither reads nor writes. The only cost is a look at the clock for each read and
    /// write of the socket.
    ///
    /// [`Request::set_timeout`]: crate::Request::set_timeout
    #[doc(alias = "asyncio.timeout")]
    pub fn request_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Stream,
    {
        self.socket.timeouts.request = timeout.into();
        self
    }

    /// How many connections there may be at the same time, of whatever kind: served, waiting for a thread,
    /// or with a child process. At least 1; `None`, the default: as many as the strategy takes.
    ///
    /// The limit is one for all threads and accept loops, and under
    /// [`handle_request`](Self::handle_request) too: [`Stats::active`](crate::Stats::active) never exceeds
    /// it. (Connections from before it was set go on, and count.) A connection of a
    /// [forking](crate::Forking) server counts until its child has been reaped. Under every strategy,
    /// the place comes free a moment after the client has seen the end.
    ///
    /// When the server is closed, those who wait in the queue are
    /// [taken in](crate::BacklogPolicy) by the same rules, except that nobody waits for a token that
    /// comes too late.
    ///
    /// ```
    /// # use socketserver::{Request, TcpRequest, handler_fn};
    /// use socketserver::{OverloadPolicy, ThreadingTcpServer};
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?
    ///     .max_connections(500)
    ///     .at_max_connections(OverloadPolicy::Refuse("421 too busy\r\n".into()))
    ///     .max_per_client(20)
    ///     .accept_rate(100.0, 200);
    /// # let _ = server;
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    ///
    /// No limit is set unless you do so: which one is right depends on the program, and clients behind one
    /// address, as those of a test are, would run into it. What protects a server without any are the caps
    /// of the strategies, at which clients wait.
    ///
    /// | limit | default | Python | at the limit, by default |
    /// | --- | --- | --- | --- |
    /// | `max_connections` | none | none | [`OverloadPolicy::Wait`] |
    /// | [`max_per_client`](Self::max_per_client) | none | none | [`OverloadPolicy::Close`] |
    /// | [`accept_rate`](Self::accept_rate) | none | none | [`OverloadPolicy::Wait`] |
    /// | [`Threading::max_threads`](crate::Threading::max_threads) | 1024 | none | clients wait |
    /// | [`ThreadPool`](crate::ThreadPool) | its threads, and as many in its queue | by hand | [`WhenFull::Wait`](crate::WhenFull::Wait) |
    /// | [`Forking::max_children`](crate::Forking::max_children) | 40 | 40 | clients wait |
    /// | [`Coroutines::max_coroutines`](crate::Coroutines::max_coroutines) | 16,384 | none | clients wait |
    /// | [`Sequential`](crate::Sequential) | one at a time | one at a time | clients wait |
    /// | [`request_queue_size`](crate::ServerOptions::request_queue_size) | `SOMAXCONN` | 5; `SOMAXCONN` since 3.15 | the kernel ignores clients, who try again |
    ///
    /// The smaller one of a limit and a strategy's cap counts. Under [`Sequential`](crate::Sequential)
    /// there is never more than one.
    #[doc(alias = "max_children")]
    #[doc(alias = "gevent.pool.Pool")]
    pub fn max_connections(mut self, most: impl Into<Option<usize>>) -> Self
    where
        T: Stream,
    {
        let most = most.into().map(|most| most.max(1));
        self.limits.max_connections = most;
        self
    }

    /// What to do about clients while there are [`max_connections`](Self::max_connections). Default:
    /// [`OverloadPolicy::Wait`].
    pub fn at_max_connections(mut self, policy: impl Into<OverloadPolicy>) -> Self
    where
        T: Stream,
    {
        self.limits.at_max_connections = policy.into();
        self
    }

    /// How many connections one client may have at the same time. At least 1; `None`, the default (as in
    /// Python): no limit.
    ///
    /// A client is an IPv4 address, or an IPv6 network of 64 bits, since whoever has one has all addresses
    /// of it; an IPv4 client of a server for both (`::ffff:192.0.2.1`) is its IPv4 address. So all who share
    /// an address, behind a router or a proxy, are one client, and all who have link-local addresses.
    /// Clients of Unix sockets have no address: there it has no effect.
    ///
    /// Connections from before it was set do not count. Memory is taken for those clients only that have a
    /// connection.
    pub fn max_per_client(mut self, most: impl Into<Option<usize>>) -> Self
    where
        T: Stream,
    {
        let most = most.into().map(|most| most.max(1));
        self.limits.max_per_client = most;
        self
    }

    /// What to do about a client that has [`max_per_client`](Self::max_per_client) connections. Default:
    /// [`OverloadPolicy::Close`].
    ///
    /// Who a client is can be known only once it is accepted, and in the kernel's queue it would keep
    /// all others waiting: [`OverloadPolicy::Wait`] and [`OverloadPolicy::WaitAtMost`] are taken as [`OverloadPolicy::Close`].
    pub fn at_max_per_client(mut self, rejection: Rejection) -> Self
    where
        T: Stream,
    {
        self.limits.at_max_per_client = rejection;
        self
    }

    /// How many connections are taken in per second, in the long run, and how many at once after a
    /// quiet time (at least 1): a token bucket. Default, as in Python: no limit.
    ///
    /// Every connection that is taken in costs a token, whatever becomes of it; those that are turned away
    /// by a limit cost none. The bucket has `burst` tokens, and gets a new one every `1 / per_second`
    /// seconds while it is not full. Infinity is no limit; none, less or not a number is one in a
    /// hundred years, after the burst.
    pub fn accept_rate(mut self, per_second: f64, burst: u32) -> Self
    where
        T: Stream,
    {
        let bucket = TokenBucket::new(per_second, burst, Instant::now());
        self.limits.accept_rate = bucket;
        self
    }

    /// What to do about clients that come faster than [`accept_rate`](Self::accept_rate). Default:
    /// [`OverloadPolicy::Wait`].
    ///
    /// A token is a break for [`OverloadPolicy::WaitAtMost`], so with a time of more than `1 / per_second` seconds
    /// it is [`OverloadPolicy::Wait`]. While [`max_connections`](Self::max_connections) is reached too, its policy
    /// counts.
    pub fn at_accept_rate(mut self, policy: impl Into<OverloadPolicy>) -> Self
    where
        T: Stream,
    {
        self.limits.at_accept_rate = policy.into();
        self
    }

    /// The size in bytes beyond which a datagram is cut; at most 64 MiB. Default: 65535 for UDP, more
    /// than any UDP datagram can carry, and 256 KiB for Unix sockets, more than Linux lets a client
    /// send unless it is configured to (Python: 8192). A handler can tell by
    /// [`truncated()`](crate::DatagramRequest::truncated).
    pub fn max_packet_size(mut self, bytes: usize) -> Self
    where
        T: Datagram,
    {
        self.socket.max_packet_size = bytes;
        self
    }
}

impl<S, M> ServerOptions<Tcp, S, M> {
    /// `TCP_NODELAY` on accepted connections: small writes go out at once instead of waiting for
    /// the acknowledgement of the previous one. Default: `true` (Python: `False`), because every
    /// write of a request is a message here; `write!` too sends its whole text as one.
    #[doc(alias = "TCP_NODELAY")]
    pub fn disable_nagle_algorithm(mut self, disable: bool) -> Self {
        self.socket.disable_nagle_algorithm = disable;
        self
    }

    /// `TCP_DEFER_ACCEPT`: a client is accepted when its first bytes are there, or its end, or else when
    /// this time is over. Until then the kernel keeps it: it occupies no thread, no process and no
    /// descriptor, and its [`timeout`](Self::timeout) has not begun. Default: `None`, when it connects,
    /// as in Python, where this is a `setsockopt`.
    ///
    /// For protocols in which **the client speaks first**, and servers with clients that connect and
    /// say nothing. Where the server speaks first, each client gets its greeting only when the time is
    /// over. The client sees no difference: it is connected at once.
    ///
    /// The time is rounded up: Linux looks 1, 3, 7, 15, 31 and so on seconds after the client has
    /// connected, and not in between. Zero, too, is not to wait.
    ///
    /// Linux only: elsewhere it is [`Error::Bind`], of kind [`Unsupported`](io::ErrorKind::Unsupported).
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
            .field("activate", &self.activate)
            .finish()
    }
}
