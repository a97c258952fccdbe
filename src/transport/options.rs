//! The options of a socket.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::error::with_advice;
use crate::sys;
use crate::sys::fd::BorrowedFd;
use crate::timeout::TimeoutConfig;
#[cfg(feature = "tls")]
use crate::tls::TlsConfig;
#[cfg(feature = "proxy-protocol")]
use crate::transport::ProxyProtocol;

/// The options that a transport reads while it creates its socket.
///
/// Programs set them through the methods of [`ServerOptions`](crate::ServerOptions) with the same names,
/// which document each; a transport of your own reads them in
/// [`Bind::server_bind`](super::Bind::server_bind).
///
/// See the [example](crate::Transport).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocketOptions {
    /// `SO_REUSEADDR`.
    pub allow_reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub allow_reuse_port: bool,
    /// `IPV6_V6ONLY`; `None` keeps the system's default.
    pub only_v6: Option<bool>,
    /// The size of the backlog: how many connections wait to be accepted.
    pub request_queue_size: u32,
    /// `TCP_NODELAY` for accepted connections.
    pub disable_nagle_algorithm: bool,
    /// `TCP_DEFER_ACCEPT`; `None` does not set it.
    pub defer_accept: Option<Duration>,
    /// The timeouts of connections. For datagrams, only the write timeout applies.
    pub timeouts: TimeoutConfig,
    /// The size in bytes beyond which datagrams are truncated.
    pub max_packet_size: usize,
    /// Whether the file of a Unix socket that was closed is replaced.
    pub replace_stale: bool,
    /// Which connections begin with the header of a proxy.
    #[cfg(feature = "proxy-protocol")]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Certificates and protocols of TLS. `None`: the transport has no TLS.
    #[cfg(feature = "tls")]
    pub tls: Option<TlsConfig>,
    /// Whether the file of a Unix socket is removed when its server is closed.
    pub remove_on_close: bool,
    /// The mode of the file of a Unix socket; `None` leaves it to the umask.
    pub mode: Option<u32>,
    /// The user to whom the file of a Unix socket is given.
    pub owner: Option<u32>,
    /// The group to which the file of a Unix socket is given.
    pub group: Option<u32>,
    /// Called after the socket was created and before it is bound.
    pub before_bind: Option<BeforeBind>,
    /// Set when the whole server is made. Files of sockets that were bound before it are removed with their
    /// sockets if it is not. `None`: the files stay.
    pub(crate) is_complete: Option<Arc<AtomicBool>>,
}

impl SocketOptions {
    /// The default for UDP: no datagram is larger, because its length field has 16 bits.
    pub const UDP_PACKET_SIZE: usize = 65_535;
    /// The default for Unix sockets. Their datagrams are at most as large as the sender's buffer: 208 KiB
    /// on Linux, unless configured otherwise.
    pub const UNIX_PACKET_SIZE: usize = 256 * 1024;
    /// The largest `max_packet_size`; larger values are reduced to it.
    pub const MAX_PACKET_SIZE: usize = 1 << 26;
}

impl SocketOptions {
    /// Returns the options of a server with this number of sockets. With several, an IPv6 socket leaves the IPv4
    /// clients to others, unless the options say something else.
    pub(crate) fn for_sockets(&self, sockets: usize) -> Cow<'_, Self> {
        if sockets < 2 || self.only_v6.is_some() {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self {
            only_v6: Some(true),
            ..self.clone()
        })
    }

    /// Calls the function `before_bind`, if there is one.
    pub(super) fn configure_before_bind(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let Some(before_bind) = &self.before_bind else {
            return Ok(());
        };
        before_bind
            .configure(socket)
            .map_err(|error| match error.raw_os_error() {
                // Its number would be taken for one of `bind`.
                Some(_) => with_advice(error, "the function given to `before_bind` has failed"),
                None => error,
            })
    }
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            allow_reuse_address: false,
            allow_reuse_port: false,
            only_v6: None,
            request_queue_size: sys::socket::SOMAXCONN,
            disable_nagle_algorithm: true,
            defer_accept: None,
            timeouts: TimeoutConfig::default(),
            max_packet_size: Self::UDP_PACKET_SIZE,
            replace_stale: false,
            #[cfg(feature = "proxy-protocol")]
            proxy_protocol: None,
            #[cfg(feature = "tls")]
            tls: None,
            remove_on_close: false,
            mode: None,
            owner: None,
            group: None,
            before_bind: None,
            is_complete: None,
        }
    }
}

/// A function that sets options of a socket before it is bound; see
/// [`ServerOptions::before_bind`](crate::ServerOptions::before_bind).
///
/// See the [example](crate::Transport).
#[derive(Clone)]
pub struct BeforeBind(Arc<dyn Fn(BorrowedFd<'_>) -> io::Result<()> + Send + Sync>);

impl BeforeBind {
    pub(crate) fn new(
        configure: impl Fn(BorrowedFd<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(configure))
    }

    /// Calls the function.
    ///
    /// See the [example](crate::Transport).
    ///
    /// # Errors
    ///
    /// The error of the function.
    pub fn configure(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        (self.0)(socket)
    }
}

impl fmt::Debug for BeforeBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeBind")
    }
}
