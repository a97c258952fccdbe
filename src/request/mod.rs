//! Requests: what a handler reads from and writes to.

mod connection;
mod connection_info;
mod datagram;
mod datagram_socket;
mod direction;
mod handshake;
mod lifecycle;
mod live_connection;
mod packet_buffers;
mod peer_credentials;
mod pending_io;
#[cfg(feature = "proxy-protocol")]
mod proxy_header;
#[cfg(feature = "proxy-protocol")]
mod proxy_state;
mod read_buffer;
mod request_trait;
mod route;
mod stream;
mod stream_halves;
mod stream_socket;
mod timeouts;
#[cfg(feature = "tls")]
mod tls_socket;
mod while_connected;

use std::net::{TcpStream, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::{UnixDatagram, UnixStream};

pub use self::connection_info::ConnectionInfo;
pub use self::datagram::DatagramRequest;
pub use self::datagram_socket::DatagramSocket;
pub use self::peer_credentials::PeerCredentials;
#[cfg(feature = "proxy-protocol")]
pub use self::proxy_header::ProxyInfo;
pub use self::request_trait::Request;
pub use self::stream::StreamRequest;
pub use self::stream_halves::{StreamReader, StreamWriter};
pub use self::stream_socket::{HandshakeStep, StreamSocket};
#[cfg(feature = "tls")]
pub use self::tls_socket::TlsSocket;
pub use crate::state::{Activity, RequestInfo, Sender};

#[cfg(feature = "proxy-protocol")]
pub(crate) use self::handshake::ExpectedHeader;
pub(crate) use self::lifecycle::RequestLifecycle;
#[cfg(unix)]
pub(crate) use self::read_buffer::ensure_read_buffer;
pub(crate) use self::route::LocalAddress;

/// A connection of a TCP server.
///
/// ```
/// use socketserver::{prelude::*, testing::converse};
///
/// let upper = handler_fn(|request: &mut TcpRequest| {
///     let data = request.recv(100)?;
///     Ok(request.send_all(data.to_ascii_uppercase())?)
/// });
/// assert_eq!(converse(upper, "hello")?, b"HELLO");
/// # Ok::<(), BoxError>(())
/// ```
pub type TcpRequest = StreamRequest<TcpStream>;
/// A TLS connection of a TCP server.
///
/// See the [example](crate::request::TlsSocket).
#[cfg(feature = "tls")]
pub type TlsRequest = StreamRequest<TlsSocket<TcpStream>>;
/// A TLS connection of a Unix stream server.
///
/// See the [example](crate::UnixStreamTlsServer).
#[cfg(all(feature = "tls", unix))]
pub type UnixStreamTlsRequest = StreamRequest<TlsSocket<UnixStream>>;
/// A datagram of a UDP server.
///
/// ```
/// use socketserver::{prelude::*, testing::converse};
///
/// let upper = handler_fn(|request: &mut UdpRequest| {
///     let data = request.recv(100)?;
///     Ok(request.send_all(data.to_ascii_uppercase())?)
/// });
/// assert_eq!(converse(upper, "hello")?, b"HELLO");
/// # Ok::<(), BoxError>(())
/// ```
pub type UdpRequest = DatagramRequest<UdpSocket>;
/// A connection of a Unix stream server.
///
/// ```
/// use socketserver::{prelude::*, testing::converse};
/// use socketserver::UnixStreamRequest;
///
/// let upper = handler_fn(|request: &mut UnixStreamRequest| {
///     let data = request.recv(100)?;
///     Ok(request.send_all(data.to_ascii_uppercase())?)
/// });
/// assert_eq!(converse(upper, "hello")?, b"HELLO");
/// # Ok::<(), BoxError>(())
/// ```
#[cfg(unix)]
pub type UnixStreamRequest = StreamRequest<UnixStream>;
/// A datagram of a Unix datagram server.
///
/// ```
/// use socketserver::{prelude::*, testing::converse};
/// use socketserver::UnixDatagramRequest;
///
/// let upper = handler_fn(|request: &mut UnixDatagramRequest| {
///     let data = request.recv(100)?;
///     Ok(request.send_all(data.to_ascii_uppercase())?)
/// });
/// assert_eq!(converse(upper, "hello")?, b"HELLO");
/// # Ok::<(), BoxError>(())
/// ```
#[cfg(unix)]
pub type UnixDatagramRequest = DatagramRequest<UnixDatagram>;

/// The kind of requests that a transport receives: [`Transport::KIND`](crate::Transport::KIND).
///
/// ```
/// use socketserver::transport::{Tcp, Transport, Udp};
/// use socketserver::RequestKind;
///
/// assert_eq!(Tcp::KIND, RequestKind::Connection);
/// assert_eq!(Udp::KIND, RequestKind::Datagram);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A connection. It can last long, and its handler can wait for the client.
    Connection,
    /// One datagram, received in full before its handler runs.
    Datagram,
}
