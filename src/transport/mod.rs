//! Transports: where requests come from.

mod accept;
mod addresses;
mod adopt;
mod datagram;
mod inet;
mod inline_receiver;
mod options;
#[cfg(feature = "proxy-protocol")]
mod proxy_protocol;
#[cfg(unix)]
mod socket_access;
#[cfg(unix)]
mod socket_file;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod udp;
mod udp_batch;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod unix_addresses;

use std::io;
use std::time::Duration;

pub use self::addresses::{FirstOf, InetAddresses};
pub use self::inline_receiver::InlineReceiver;
pub(crate) use self::inline_receiver::ReceiveInline;
pub use self::options::{BeforeBind, SocketOptions};
#[cfg(feature = "proxy-protocol")]
pub use self::proxy_protocol::ProxyProtocol;
pub use self::tcp::Tcp;
#[cfg(feature = "tls")]
pub use self::tls::Tls;
#[doc(alias = "SOCK_DGRAM")]
pub use self::udp::Udp;
#[cfg(unix)]
pub use self::unix::{UnixDatagram, UnixStream};
#[cfg(unix)]
pub use self::unix_addresses::UnixAddresses;
pub use crate::timeout::TimeoutConfig;

use crate::address::Address;
use crate::error::Error;
use crate::request::{Request, RequestKind};
use crate::state::ServerHandle;
use crate::sys;
use crate::sys::fd::AsFd;

/// A bound socket that requests come from: [`Tcp`], [`Udp`], [`UnixStream`], [`UnixDatagram`].
///
/// - **You implement** it, and [`Bind`], to serve something else.
/// - **The server calls** all methods: `server_activate` once, then `get_request` for each request.
/// - **A panic** in `get_request` counts as the error `ConnectionAborted`:
///   [`get_request_error`](crate::Service::get_request_error) is called, and the server accepts the next
///   request. A panic in `server_activate` is an [`Error::Activate`].
///
/// A transport of your own, for connections of TCP:
///
/// ```ignore-windows
/// use socketserver::request::TcpRequest;
/// use socketserver::transport::{Bind, FromListener, SocketOptions, TimeoutConfig, Transport};
/// use socketserver::{Error, Request, RequestKind, Sequential, Server, ServerHandle, handler_fn};
/// use std::net::{SocketAddr, TcpListener};
/// use std::os::fd::{AsFd, BorrowedFd};
/// use std::{io, time::Duration};
///
/// struct Own {
///     listener: TcpListener,
///     address: SocketAddr,
///     timeouts: TimeoutConfig,
/// }
///
/// impl AsFd for Own {
///     fn as_fd(&self) -> BorrowedFd<'_> {
///         self.listener.as_fd()
///     }
/// }
///
/// impl Transport for Own {
///     type Request = TcpRequest;
///     type Address = SocketAddr;
///     const KIND: RequestKind = RequestKind::Connection;
///
///     fn default_options() -> SocketOptions {
///         SocketOptions::default()
///     }
///
///     fn server_address(&self) -> &SocketAddr {
///         &self.address
///     }
///
///     fn server_activate(&self) -> io::Result<()> {
///         Ok(()) // a `TcpListener` listens already
///     }
///
///     fn get_request(&self, server: &ServerHandle) -> io::Result<TcpRequest> {
///         let (socket, client) = self.listener.accept()?;
///         TcpRequest::with_timeouts(socket, client, server, &self.timeouts)
///     }
///
///     fn stop_new_connections(&self) -> io::Result<()> {
///         Err(io::ErrorKind::Unsupported.into())
///     }
///
///     fn timeout(&self) -> Option<Duration> {
///         None
///     }
/// }
///
/// impl FromListener<TcpListener> for Own {
///     fn from_listener(listener: TcpListener, options: &SocketOptions) -> Result<Self, Error> {
///         let prepare = |listener: TcpListener| {
///             listener.set_nonblocking(true)?; // `get_request` never waits
///             let (address, timeouts) = (listener.local_addr()?, options.timeouts);
///             Ok(Own { listener, address, timeouts })
///         };
///         prepare(listener).map_err(|source| Error::Bind { address: "the listener".into(), source })
///     }
/// }
///
/// impl Bind<SocketAddr> for Own {
///     fn server_bind(address: SocketAddr, options: &SocketOptions) -> Result<Self, Error> {
///         let bind = || {
///             let listener = TcpListener::bind(address)?;
///             if let Some(before_bind) = &options.before_bind {
///                 before_bind.configure(listener.as_fd())?;
///             }
///             Ok(listener)
///         };
///         let listener = bind().map_err(|source| Error::Bind { address: address.to_string(), source })?;
///         Self::from_listener(listener, options)
///     }
/// }
///
/// let hello = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hello")?));
/// let address = SocketAddr::from(([127, 0, 0, 1], 0));
/// let server = Server::<Own, _, Sequential>::bind(address, hello)?.spawn()?;
/// let client = std::net::TcpStream::connect(server.server_address())?;
/// assert_eq!(io::read_to_string(client)?, "hello");
/// # Ok::<(), socketserver::BoxError>(())
/// ```
#[doc(alias = "BaseServer")]
pub trait Transport: AsFd + Send + Sync + Sized + 'static {
    /// The type of the requests that handlers receive.
    type Request: Request;
    /// The type of the server's own address.
    type Address: Address;

    /// Whether requests are connections or datagrams.
    const KIND: RequestKind;

    /// The default options of this transport.
    ///
    /// See the [example](Self).
    fn default_options() -> SocketOptions {
        SocketOptions::default()
    }

    /// The address that the socket is bound to.
    ///
    /// See the [example](Self).
    fn server_address(&self) -> &Self::Address;

    /// Starts to listen. Datagram sockets have nothing to do here.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// The error of `listen(2)`.
    fn server_activate(&self) -> io::Result<()> {
        Ok(())
    }

    /// Accepts one waiting connection, or receives one waiting datagram. Never waits.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; else the error of `accept(2)` or `recvfrom(2)`.
    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request>;

    /// Stops new connections, because the server is about to close. Connections that are in the backlog
    /// already can still be accepted by `get_request`. The default does nothing; connections that arrive
    /// between the last `get_request` and the close are lost then.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// Any error means that new connections cannot be stopped; the server closes all the same.
    fn stop_new_connections(&self) -> io::Result<()> {
        Ok(())
    }

    /// What an accept loop that runs each request itself receives with. [`Udp`] has a receiver that takes
    /// several datagrams by one system call. A transport of your own leaves the default, which uses
    /// [`get_request`](Self::get_request). `is_only_loop`: no other accept loop runs.
    ///
    /// ```
    /// use socketserver::transport::{InlineReceiver, Transport};
    /// # use socketserver::ServerHandle;
    ///
    /// /// A transport that wraps another one may pass on its receiver.
    /// fn receiver<'a, T: Transport>(inner: &'a T, server: &'a ServerHandle) -> InlineReceiver<'a, T::Request> {
    ///     inner.inline_receiver(server, false)
    /// }
    /// # let _ = receiver::<socketserver::transport::Tcp>;
    /// ```
    fn inline_receiver<'a>(
        &'a self,
        server: &'a ServerHandle,
        is_only_loop: bool,
    ) -> InlineReceiver<'a, Self::Request> {
        let _ = (server, is_only_loop);
        InlineReceiver::default()
    }

    /// The socket's own timeout, which bounds
    /// [`handle_request`](crate::Server::handle_request) if it is shorter than the server's.
    ///
    /// See the [example](Self).
    fn timeout(&self) -> Option<Duration> {
        sys::socket::receive_timeout(self.as_fd())
    }
}

/// A transport that can be bound to addresses of type `A`.
///
/// TCP and UDP accept [`InetAddresses`], Unix sockets accept paths and
/// [`UnixAddress`](crate::UnixAddress)es, each also in an array, a slice or a `Vec`.
///
/// See the [example](Transport).
#[diagnostic::on_unimplemented(
    message = "a `{Self}` server cannot be bound to a `{A}`",
    label = "not an address of this server",
    note = "a TCP or UDP server is bound to `\"127.0.0.1:9999\"` or `(\"127.0.0.1\", 9999)`, the port \
            being a `u16`",
    note = "a Unix server is bound to a path: `\"/run/my.sock\"`",
    note = "several addresses of one kind are an array, a slice or a `Vec`; `bind_all` takes any iterator",
    note = "a socket that is open already goes to `from_listener`"
)]
pub trait Bind<A>: Transport {
    /// Creates the socket, sets its options and binds it. Does not listen yet.
    ///
    /// See the [example](Transport).
    ///
    /// # Errors
    ///
    /// [`Error::Resolve`] or [`Error::Bind`], also for a list of several addresses; no descriptor is left open.
    fn server_bind(address: A, options: &SocketOptions) -> Result<Self, Error>;

    /// Creates and binds a transport for each address of a list. The server calls this method. The default binds
    /// one by [`server_bind`](Self::server_bind).
    ///
    /// A transport that wraps another one passes the call on:
    ///
    /// ```
    /// # use socketserver::{Error, transport::{Bind, SocketOptions, Tcp}};
    /// # struct Wrapper(Tcp);
    /// # impl Wrapper {
    /// fn server_bind_all<A>(addresses: A, options: &SocketOptions) -> Result<Vec<Wrapper>, Error>
    /// where
    ///     Tcp: Bind<A>,
    /// {
    ///     Ok(Tcp::server_bind_all(addresses, options)?.into_iter().map(Wrapper).collect())
    /// }
    /// # }
    /// let addresses = ["127.0.0.1:0", "127.0.0.1:0"];
    /// assert_eq!(Wrapper::server_bind_all(addresses, &SocketOptions::default())?.len(), 2);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`server_bind`](Self::server_bind). Nothing stays bound.
    fn server_bind_all(addresses: A, options: &SocketOptions) -> Result<Vec<Self>, Error> {
        Ok(vec![Self::server_bind(addresses, options)?])
    }
}

/// Returns the only element of a list of addresses.
fn only<A>(addresses: Vec<A>) -> Result<A, Error> {
    <[A; 1]>::try_from(addresses)
        .map(|[address]| address)
        .map_err(|addresses| {
            let problem =
                "`server_bind` binds one socket, and `server_bind_all` one for each address";
            Error::Bind {
                address: format!("a list of {} addresses", addresses.len()),
                source: io::Error::new(io::ErrorKind::InvalidInput, problem),
            }
        })
}

/// A transport that can be made from an existing socket of type `L`: one that was inherited from a
/// service manager or a previous process, or configured by other means.
///
/// See the [example](Transport).
#[diagnostic::on_unimplemented(
    message = "a `{Self}` server cannot take over a `{L}`",
    label = "not a socket of this server",
    note = "TCP takes a `std::net::TcpListener`, UDP a `UdpSocket`, Unix sockets a `UnixListener` \
            or a `UnixDatagram`"
)]
pub trait FromListener<L>: Transport {
    /// Makes a transport from the socket. An inherited socket lacks the flag close-on-exec
    /// (`FD_CLOEXEC`): set it, so that programs that handlers start do not keep the socket open.
    ///
    /// See the [example](Transport).
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] if the socket is not bound or cannot be used.
    fn from_listener(listener: L, options: &SocketOptions) -> Result<Self, Error>;
}

/// A transport with IP addresses. Options of IP sockets exist only for servers of these transports.
///
/// ```
/// use socketserver::transport::{Inet, Tcp, Udp};
///
/// fn port<T: Inet<Address = std::net::SocketAddr>>(transport: &T) -> u16 {
///     transport.server_address().port()
/// }
/// # let _ = (port::<Tcp>, port::<Udp>);
/// ```
#[diagnostic::on_unimplemented(
    message = "this option is for TCP and UDP servers",
    label = "not an option of a `{Self}` server",
    note = "Unix sockets do not have it: leave it out",
    note = "if it was to bind again where a server was before: set `replace_stale(true)`"
)]
pub trait Inet: Transport {}
impl Inet for Tcp {}
impl Inet for Udp {}

/// A transport with Unix sockets, which usually have a file. Options of that file exist only for servers of
/// these transports.
///
/// ```ignore-windows
/// use socketserver::transport::{Unix, UnixDatagram, UnixStream};
///
/// fn is_named<T: Unix<Address = socketserver::UnixAddress>>(transport: &T) -> bool {
///     !transport.server_address().is_unnamed()
/// }
/// # let _ = (is_named::<UnixStream>, is_named::<UnixDatagram>);
/// ```
#[diagnostic::on_unimplemented(
    message = "this option is for servers of Unix sockets",
    label = "not an option of a `{Self}` server",
    note = "it is about the file of a Unix socket: leave it out"
)]
pub trait Unix: Transport {}
#[cfg(unix)]
impl Unix for UnixStream {}
#[cfg(unix)]
impl Unix for UnixDatagram {}

/// A transport with connections, which wait in the backlog until they are accepted.
///
/// ```ignore-windows
/// use socketserver::transport::{Stream, Tcp, UnixStream};
/// use socketserver::RequestKind;
///
/// fn kind<T: Stream>() -> RequestKind {
///     T::KIND
/// }
/// assert_eq!(kind::<Tcp>(), RequestKind::Connection);
/// assert_eq!(kind::<UnixStream>(), RequestKind::Connection);
/// ```
#[diagnostic::on_unimplemented(
    message = "this option is for servers with connections: TCP and Unix stream sockets",
    label = "not an option of a `{Self}` server",
    note = "datagrams do not queue up to be accepted: leave it out"
)]
pub trait Stream: Transport {}
impl Stream for Tcp {}
#[cfg(unix)]
impl Stream for UnixStream {}

/// A transport with datagrams.
///
/// ```ignore-windows
/// use socketserver::transport::{Datagram, Udp, UnixDatagram};
/// use socketserver::RequestKind;
///
/// fn kind<T: Datagram>() -> RequestKind {
///     T::KIND
/// }
/// assert_eq!(kind::<Udp>(), RequestKind::Datagram);
/// assert_eq!(kind::<UnixDatagram>(), RequestKind::Datagram);
/// ```
#[diagnostic::on_unimplemented(
    message = "this option is for datagram servers: UDP and Unix datagram sockets",
    label = "not an option of a `{Self}` server",
    note = "a stream has no packets: each `request.recv(size)` says how much it takes"
)]
pub trait Datagram: Transport {}
impl Datagram for Udp {}
#[cfg(unix)]
impl Datagram for UnixDatagram {}
