//! Which connections begin with the header of a proxy.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::address::SocketAddress;
use crate::request::{ExpectedHeader, Request, StreamRequest, StreamSocket};
use crate::state::{NetworkError, ToNetwork};

/// The PROXY protocol, versions 1 and 2: a proxy in front of the server, such as a load balancer, says with the first
/// bytes of each connection for which client it has connected. The option
/// [`proxy_protocol`](crate::ServerOptions::proxy_protocol).
///
/// - The header is believed only if the connection comes from a network that is listed here. A connection from
///   elsewhere is served as usual, and ended if it begins with a header. On a Unix socket, all connections are
///   trusted: the permissions of its file say who can connect.
/// - [`Request::client_address`](crate::Request::client_address) is the proxy's client then, and limits for each
///   client and access lists go by it. [`ConnectionInfo::proxy`](crate::request::ConnectionInfo::proxy) has the
///   address of the proxy and all that the header says. For a Unix socket, `client_address` stays as it is, because it
///   has another type.
/// - A connection that the proxy has made for itself (`LOCAL`), for example to check that the server runs, has the
///   proxy's address. So has one of a client that the header does not tell (`UNKNOWN`).
/// - A missing, malformed or late header ends this connection, and counts in
///   [`handshake_errors`](crate::Stats::handshake_errors). The header is read where handshakes are completed, never on
///   the accept loop. With TLS it comes before the handshake.
///
/// Nothing in Python.
///
/// ```
/// use socketserver::{prelude::*, transport::ProxyProtocol};
///
/// let service = handler_fn(|request: &mut TcpRequest| {
///     let client = *request.client_address();
///     let info = request.connection_info();
///     let proxy = info.proxy().expect("it is required");
///     writeln!(request, "{client} for {}", proxy.destination().unwrap())?;
///     writeln!(request, "version {}, from {}", proxy.version(), proxy.proxy_address().ip().unwrap())?;
///     assert_eq!((proxy.client_address(), proxy.is_local()), (Some(client), false));
///     assert!(proxy.fields().is_empty() && proxy.field(5).is_none());
///     Ok(())
/// });
/// let server = ThreadingTcpServer::options()
///     .proxy_protocol(ProxyProtocol::required_from(["127.0.0.0/8", "::1"])?)
///     .bind("127.0.0.1:0", service)?
///     .spawn()?;
/// let mut proxy = std::net::TcpStream::connect(server.server_address())?;
/// proxy.write_all(b"PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\r\n")?;
/// let answer = std::io::read_to_string(proxy)?;
/// assert_eq!(answer, "203.0.113.7:50000 for 192.0.2.1:443\nversion 1, from 127.0.0.1\n");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "send-proxy")]
#[doc(alias = "send-proxy-v2")]
pub struct ProxyProtocol {
    trusted: Arc<[IpNet]>,
    is_required: bool,
    header_timeout: Duration,
}

impl ProxyProtocol {
    /// Default of [`header_timeout`](Self::header_timeout).
    ///
    /// See the [example](Self::header_timeout).
    pub const DEFAULT_HEADER_TIMEOUT: Duration = Duration::from_secs(5);

    /// Every connection from these networks must begin with a header. With no networks, every header is an error.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// If a text is no network.
    pub fn required_from<N: ToNetwork>(
        networks: impl IntoIterator<Item = N>,
    ) -> Result<Self, NetworkError> {
        Self::new(networks, true)
    }

    /// A connection from these networks may begin with a header. The server then waits for the first bytes of each
    /// of them before the handler runs, so that it is not for protocols in which the server speaks first.
    ///
    /// ```
    /// use socketserver::{prelude::*, transport::ProxyProtocol};
    ///
    /// # let service = handler_fn(echo);
    /// # fn echo(request: &mut TcpRequest) -> Result {
    /// #     let line = request.readline(100)?;
    /// #     Ok(request.send_all(line)?)
    /// # }
    /// let proxies = ProxyProtocol::optional_from(["127.0.0.0/8"])?;
    /// let server = ThreadingTcpServer::options().proxy_protocol(proxies).bind("127.0.0.1:0", service)?.spawn()?;
    /// for data in ["PRO\n", "PROXY UNKNOWN\r\nPRO\n"] {
    ///     let mut client = std::net::TcpStream::connect(server.server_address())?;
    ///     client.write_all(data.as_bytes())?;
    ///     assert_eq!(std::io::read_to_string(client)?, "PRO\n");
    /// }
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a text is no network.
    pub fn optional_from<N: ToNetwork>(
        networks: impl IntoIterator<Item = N>,
    ) -> Result<Self, NetworkError> {
        Self::new(networks, false)
    }

    fn new<N: ToNetwork>(
        networks: impl IntoIterator<Item = N>,
        is_required: bool,
    ) -> Result<Self, NetworkError> {
        let networks = networks.into_iter().map(|network| network.to_network());
        Ok(Self {
            trusted: networks.collect::<Result<_, _>>()?,
            is_required,
            header_timeout: Self::DEFAULT_HEADER_TIMEOUT,
        })
    }

    /// Sets how long the header may take, from accept. Default: 5 seconds. It ends together with
    /// [`handshake_timeout`](crate::ServerOptions::handshake_timeout) at the latest.
    ///
    /// ```
    /// use socketserver::transport::ProxyProtocol;
    /// use std::time::Duration;
    ///
    /// let proxies = ProxyProtocol::required_from(["10.0.0.0/8"])?.header_timeout(Duration::from_secs(1));
    /// assert!(ProxyProtocol::DEFAULT_HEADER_TIMEOUT > Duration::from_secs(1));
    /// # let _ = proxies;
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// Prepares a connection that is being accepted.
    pub(super) fn apply<S: StreamSocket>(
        &self,
        request: &mut StreamRequest<S>,
        handshake_timeout: Option<Duration>,
    ) {
        let peer: SocketAddress = request.client_address().clone().into();
        let is_trusted = match peer {
            SocketAddress::Inet(peer) => self.trusts(peer.ip()),
            SocketAddress::Unix(_) => true,
        };
        let expected = match is_trusted {
            false => ExpectedHeader::Never,
            true => ExpectedHeader::Within {
                timeout: self.header_timeout,
                is_required: self.is_required,
            },
        };
        request.expect_proxy_header(expected, handshake_timeout);
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(&peer))
    }
}
