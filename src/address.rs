//! Addresses of clients and servers.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// What the addresses of every transport can do: be compared, kept in maps, shown, and shown the
/// way Python does.
///
/// Implemented by [`SocketAddr`] (TCP, UDP) and [`UnixAddress`].
pub trait Address:
    Clone + fmt::Debug + fmt::Display + Eq + Hash + Into<SocketAddress> + Send + Sync + 'static
{
    /// The address as `print(client_address)` shows it in Python, for example
    /// `('127.0.0.1', 9999)`.
    fn to_python(&self) -> String;
}

impl Address for SocketAddr {
    fn to_python(&self) -> String {
        match self {
            Self::V4(address) => format!("('{}', {})", address.ip(), address.port()),
            Self::V6(address) => format!(
                "('{}', {}, {}, {})",
                address.ip(),
                address.port(),
                address.flowinfo(),
                address.scope_id()
            ),
        }
    }
}

/// The address of a Unix socket.
///
/// > **Coming from Python.** There it is a `str`, `bytes`, `''` or `None`, depending on the peer
/// > and on the kind of socket. A client that did not bind its socket is [`Unnamed`] here: a
/// > value like any other, not a surprise.
///
/// [`Unnamed`]: UnixAddress::Unnamed
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnixAddress {
    /// The socket is bound to no address. Usual for the clients of stream servers; a datagram
    /// client like that cannot be answered.
    Unnamed,
    /// The socket is bound to this path.
    Path(PathBuf),
    /// The socket is bound to this name in the abstract namespace, which only Linux has. The
    /// leading zero byte is not part of the name.
    Abstract(Vec<u8>),
}

impl UnixAddress {
    /// Whether the socket is bound to no address.
    pub fn is_unnamed(&self) -> bool {
        matches!(self, Self::Unnamed)
    }

    /// The path that the socket is bound to, if it is bound to one.
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }
}

impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed => f.write_str("(unnamed)"),
            Self::Path(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{}", name.escape_ascii()),
        }
    }
}

impl Address for UnixAddress {
    fn to_python(&self) -> String {
        match self {
            Self::Unnamed => String::new(),
            Self::Path(path) => path.display().to_string(),
            Self::Abstract(name) => format!("b'\\x00{}'", name.escape_ascii()),
        }
    }
}

/// Where a server is bound, or who its client is, whatever its transport: what a [`ServerHandle`], which
/// knows no transport, can tell.
///
/// It is `From` the address of either transport, so that the two can be compared:
/// `*info.client_address() == (*request.client_address()).into()`.
///
/// [`ServerHandle`]: crate::ServerHandle
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketAddress {
    /// A TCP or UDP server.
    Inet(SocketAddr),
    /// A Unix socket server.
    Unix(UnixAddress),
}

impl SocketAddress {
    /// The IP address of a TCP or UDP server; `None` for a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_addr().map(|address| address.ip())
    }

    /// IP address and port of a TCP or UDP server; `None` for a Unix socket.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The path of a Unix socket server, if it is bound to one.
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Inet(_) => None,
            Self::Unix(address) => address.as_path(),
        }
    }

    /// The port of a TCP or UDP server; `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        self.socket_addr().map(|address| address.port())
    }

    /// Whether a socket with this address is bound to anything.
    pub(crate) fn is_bound(&self) -> bool {
        match self {
            Self::Inet(address) => address.port() != 0,
            Self::Unix(address) => !address.is_unnamed(),
        }
    }
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(address) => address.fmt(f),
        }
    }
}

impl From<SocketAddr> for SocketAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl From<UnixAddress> for SocketAddress {
    fn from(address: UnixAddress) -> Self {
        Self::Unix(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What `print(address)` shows in CPython for the same peers.
    #[test]
    fn addresses_look_as_they_do_in_python() {
        let v4: SocketAddr = "127.0.0.1:9999".parse().unwrap();
        let v6: SocketAddr = "[::1]:9999".parse().unwrap();
        assert_eq!(v4.to_python(), "('127.0.0.1', 9999)");
        assert_eq!(v6.to_python(), "('::1', 9999, 0, 0)");
        assert_eq!(UnixAddress::Unnamed.to_python(), "");
        assert_eq!(UnixAddress::Path("/tmp/s".into()).to_python(), "/tmp/s");
        assert_eq!(
            UnixAddress::Abstract(b"name".to_vec()).to_python(),
            "b'\\x00name'"
        );
    }

    #[test]
    fn what_a_server_is_bound_to_can_be_taken_apart() {
        let inet: SocketAddr = "127.0.0.1:9999".parse().unwrap();
        let server = SocketAddress::from(inet);
        assert_eq!((server.ip(), server.port()), (Some(inet.ip()), Some(9999)));
        assert_eq!((server.socket_addr(), server.as_path()), (Some(inet), None));

        let server = SocketAddress::from(UnixAddress::Path("/tmp/s".into()));
        assert_eq!((server.ip(), server.port()), (None, None));
        assert_eq!(server.as_path(), Some(Path::new("/tmp/s")));
    }

    #[test]
    fn an_unnamed_address_is_a_value() {
        assert!(UnixAddress::Unnamed.is_unnamed());
        assert_eq!(UnixAddress::Unnamed.as_path(), None);
        assert_eq!(UnixAddress::Unnamed.to_string(), "(unnamed)");
    }
}
