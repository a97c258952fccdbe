//! What can be chosen about a socket before it is bound.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::sys;
use crate::timeout::TimeoutConfig;

/// Every option that a transport can read while it makes its socket.
///
/// Programs set these through [`ServerOptions`](crate::ServerOptions), whose methods have the same
/// names and say what each means; a transport of your own reads them in
/// [`Bind::server_bind`](super::Bind::server_bind).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocketOptions {
    /// `SO_REUSEADDR`.
    pub allow_reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub allow_reuse_port: bool,
    /// `IPV6_V6ONLY`; `None` leaves the system's default.
    pub only_v6: Option<bool>,
    /// The length of the queue of connections that nobody has accepted yet.
    pub request_queue_size: u32,
    /// `TCP_NODELAY` for accepted connections.
    pub disable_nagle_algorithm: bool,
    /// `TCP_DEFER_ACCEPT`; `None` leaves the socket as it is.
    pub defer_accept: Option<Duration>,
    /// The times that connections have. Of a datagram, only the one for writing counts.
    pub timeouts: TimeoutConfig,
    /// The size beyond which datagrams are cut.
    pub max_packet_size: usize,
    /// Called between the making of the socket and its binding.
    pub before_bind: Option<BeforeBind>,
}

impl SocketOptions {
    /// The default for UDP: no datagram is larger, because its length field has 16 bits.
    pub const UDP_PACKET_SIZE: usize = 65_535;
    /// The default for Unix sockets, whose datagrams are as large as the sender's buffer, on Linux
    /// 208 KiB unless changed.
    pub const UNIX_PACKET_SIZE: usize = 256 * 1024;
    /// What a larger `max_packet_size` is taken as.
    pub const MAX_PACKET_SIZE: usize = 1 << 26;
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
            before_bind: None,
        }
    }
}

/// A function that sets options of a socket before it is bound; see
/// [`ServerOptions::before_bind`](crate::ServerOptions::before_bind).
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
    /// # Errors
    ///
    /// Whatever the function says.
    pub fn configure(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        (self.0)(socket)
    }
}

impl fmt::Debug for BeforeBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeBind")
    }
}
