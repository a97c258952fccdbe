//! How a request has come: the listener, and what the connection itself says about the client.

use crate::address::SocketAddress;
use crate::request::PeerCredentials;
#[cfg(feature = "proxy-protocol")]
use crate::request::ProxyInfo;
use crate::sys::fd::BorrowedFd;
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;

/// How a request has come to its server: [`Request::connection_info`](crate::Request::connection_info).
///
/// ```
/// use socketserver::{prelude::*, testing::converse};
///
/// let service = handler_fn(|request: &mut TcpRequest| {
///     let info = request.connection_info();
///     assert_eq!(info.listener(), request.server().server_address());
///     assert!(!info.is_encrypted());
///     Ok(request.send_all("hello")?)
/// });
/// assert_eq!(converse(service, "")?, b"hello");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    listener: SocketAddress,
    #[cfg(feature = "tls")]
    tls: Option<TlsInfo>,
    #[cfg(feature = "proxy-protocol")]
    proxy: Option<ProxyInfo>,
    peer_credentials: Option<PeerCredentials>,
}

impl ConnectionInfo {
    pub(crate) fn new(listener: SocketAddress) -> Self {
        Self {
            listener,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "proxy-protocol")]
            proxy: None,
            peer_credentials: None,
        }
    }

    #[cfg(feature = "proxy-protocol")]
    pub(super) fn with_proxy(self, proxy: Option<ProxyInfo>) -> Self {
        Self { proxy, ..self }
    }

    #[cfg(feature = "tls")]
    pub(super) fn with_tls(self, tls: Option<TlsInfo>) -> Self {
        Self { tls, ..self }
    }

    /// Adds what the system reports about the other side of a Unix socket.
    pub(super) fn with_peer(mut self, socket: Option<BorrowedFd<'_>>) -> Self {
        if let SocketAddress::Unix(_) = self.listener {
            self.peer_credentials = socket.and_then(PeerCredentials::of);
        }
        self
    }

    /// The address of the listening socket that the request has come by: one of
    /// [`server_addresses`](crate::ServerHandle::server_addresses). A datagram server's listener is its socket.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let info = request.connection_info();
    ///     Ok(write!(request, "{}", info.listener())?)
    /// });
    /// let server = TcpServer::bind(["127.0.0.1:0", "127.0.0.1:0"], service)?.spawn()?;
    /// for address in server.server_addresses() {
    ///     let client = std::net::TcpStream::connect(address)?;
    ///     assert_eq!(std::io::read_to_string(client)?, address.to_string());
    /// }
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn listener(&self) -> &SocketAddress {
        &self.listener
    }

    /// Whether the bytes of this connection are encrypted on their way. Always `false` without TLS.
    ///
    /// See the [example](Self).
    #[doc(alias = "ssl")]
    pub fn is_encrypted(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Result of the TLS handshake: version, cipher suite, names and certificates. `None` without TLS.
    ///
    /// See the [example](TlsInfo).
    #[cfg(feature = "tls")]
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// Contents of the header of a proxy. `None` if the connection did not begin with one.
    ///
    /// See the [example](crate::transport::ProxyProtocol).
    #[cfg(feature = "proxy-protocol")]
    pub fn proxy(&self) -> Option<&ProxyInfo> {
        self.proxy.as_ref()
    }

    /// The process and the user that have connected to a Unix stream server. Python: the socket option
    /// `SO_PEERCRED`. `None` for TCP, for datagrams, and on systems that do not report them.
    ///
    /// The system is asked by [`connection_info`](crate::Request::connection_info), for Unix sockets only.
    ///
    /// See the [example](PeerCredentials).
    #[doc(alias = "SO_PEERCRED")]
    #[doc(alias = "getpeereid")]
    pub fn peer_credentials(&self) -> Option<PeerCredentials> {
        self.peer_credentials
    }
}
