//! Transports: where requests come from.

mod datagram;
mod inet;
mod inline_receiver;
mod options;
mod tcp;
mod udp;
mod unix;

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

pub(crate) use self::inline_receiver::InlineReceiver;
pub use self::options::{BeforeBind, SocketOptions};
pub use self::tcp::Tcp;
#[doc(alias = "SOCK_DGRAM")]
pub use self::udp::Udp;
pub use self::unix::{IntoUnixAddress, UnixDatagram, UnixStream};
pub use crate::timeout::TimeoutConfig;

use crate::address::Address;
use crate::error::Error;
use crate::request::{Request, RequestKind};
use crate::state::ServerHandle;
use crate::sys;

/// A bound socket that requests come from: [`Tcp`], [`Udp`], [`UnixStream`], [`UnixDatagram`].
///
/// - **You implement** it, and [`Bind`], to serve something else.
/// - **The server calls** all of it: `server_activate` once, then `get_request` for each request.
/// - **One that panics** in `get_request` is taken for one that has failed with `ConnectionAborted`:
///   [`get_request_error`](crate::Service::get_request_error) is told, and the next request is taken in. In
///   `server_activate` it is an [`Error::Activate`].
#[doc(alias = "BaseServer")]
pub trait Transport: AsFd + Send + Sync + Sized + 'static {
    /// What a handler gets.
    type Request: Request;
    /// The type of the server's own address.
    type Address: Address;

    /// Whether requests are conversations or single messages.
    const KIND: RequestKind;

    /// The options that sockets of this transport start from.
    fn default_options() -> SocketOptions {
        SocketOptions::default()
    }

    /// Where the socket is bound.
    fn server_address(&self) -> &Self::Address;

    /// Starts to listen. Datagram sockets have nothing to do here.
    ///
    /// # Errors
    ///
    /// What `listen(2)` says.
    fn server_activate(&self) -> io::Result<()> {
        Ok(())
    }

    /// Takes one waiting request. Never waits.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; else what `accept(2)` or `recvfrom(2)` says.
    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request>;

    /// The server is about to close: lets nobody new in from now on, but those who wait in the queue can
    /// still be taken in by `get_request`. The default does nothing; who comes between the last
    /// `get_request` and the end is lost then.
    ///
    /// # Errors
    ///
    /// That is not possible here; the server closes all the same.
    fn stop_new_connections(&self) -> io::Result<()> {
        Ok(())
    }

    /// For loops that serve each request before they take the next, if this transport can do better
    /// there than by `get_request`. `alone`: there is no other loop.
    #[doc(hidden)]
    fn inline_receiver<'a>(
        &'a self,
        server: &'a ServerHandle,
        alone: bool,
    ) -> Option<Box<dyn InlineReceiver<Self::Request> + 'a>> {
        let _ = (server, alone);
        None
    }

    /// Whether `get_request` has a request that was taken in by a `inline_receiver` and not served.
    #[doc(hidden)]
    fn is_request_kept(&self) -> bool {
        false
    }

    /// The socket's own timeout, which bounds
    /// [`handle_request`](crate::Server::handle_request) if it is shorter than the server's.
    fn timeout(&self) -> Option<Duration> {
        sys::socket::receive_timeout(self.as_fd())
    }
}

/// A transport that can be bound to addresses of type `A`.
///
/// TCP and UDP take everything that [`ToSocketAddrs`](std::net::ToSocketAddrs) does, Unix sockets
/// take paths and [`UnixAddress`](crate::UnixAddress)es.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` server cannot be bound to a `{A}`",
    label = "not an address of this server",
    note = "a TCP or UDP server is bound to `\"127.0.0.1:9999\"` or `(\"127.0.0.1\", 9999)`, the port \
            being a `u16`",
    note = "a Unix server is bound to a path: `\"/run/my.sock\"`",
    note = "a socket that is open already goes to `from_listener`"
)]
pub trait Bind<A>: Transport {
    /// Makes the socket, sets its options, binds it. Does not listen yet.
    ///
    /// # Errors
    ///
    /// [`Error::Resolve`] or [`Error::Bind`]; no descriptor is left open.
    fn server_bind(address: A, options: &SocketOptions) -> Result<Self, Error>;
}

/// A transport that can be made of an existing socket of type `L`: inherited from a service
/// manager or a previous process, or configured in ways that this crate does not know.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` server cannot take over a `{L}`",
    label = "not a socket of this server",
    note = "TCP takes a `std::net::TcpListener`, UDP a `UdpSocket`, Unix sockets a `UnixListener` \
            or a `UnixDatagram`"
)]
pub trait FromListener<L>: Transport {
    /// Takes the socket over.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] if the socket is not bound or cannot be used.
    fn from_listener(listener: L, options: &SocketOptions) -> Result<Self, Error>;
}

/// A transport with IP addresses: only servers of these have the options of such sockets.
#[diagnostic::on_unimplemented(
    message = "this option is for TCP and UDP servers",
    label = "not an option of a `{Self}` server",
    note = "Unix sockets do not have it: leave it out",
    note = "if it was to bind again where a server was before: remove its socket file first"
)]
pub trait Inet: Transport {}
impl Inet for Tcp {}
impl Inet for Udp {}

/// A transport with connections, which queue up until they are accepted.
#[diagnostic::on_unimplemented(
    message = "this option is for servers with connections: TCP and Unix stream sockets",
    label = "not an option of a `{Self}` server",
    note = "datagrams do not queue up to be accepted: leave it out"
)]
pub trait Stream: Transport {}
impl Stream for Tcp {}
impl Stream for UnixStream {}

/// A transport with datagrams.
#[diagnostic::on_unimplemented(
    message = "this option is for datagram servers: UDP and Unix datagram sockets",
    label = "not an option of a `{Self}` server",
    note = "a stream has no packets: each `request.recv(size)` says how much it takes"
)]
pub trait Datagram: Transport {}
impl Datagram for Udp {}
impl Datagram for UnixDatagram {}
