//! Addresses of clients and servers.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::escape::escape_bytes;

/// Address of a server or client, of any transport: comparable, hashable and printable, also in
/// Python's format.
///
/// Implemented by [`SocketAddr`] (TCP, UDP) and [`UnixAddress`].
///
/// See the [example](Self::to_python).
pub trait Address:
    Clone + fmt::Debug + fmt::Display + Eq + Hash + Into<SocketAddress> + Send + Sync + 'static
{
    /// Returns the address in the format of Python's `print(client_address)`, for example
    /// `('127.0.0.1', 9999)`. For logs: control characters are escaped.
    ///
    /// ```
    /// use socketserver::Address;
    /// use std::net::SocketAddr;
    ///
    /// let client: SocketAddr = "127.0.0.1:9999".parse()?;
    /// assert_eq!(client.to_python(), "('127.0.0.1', 9999)");
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    fn to_python(&self) -> String;

    /// The address of a client, as the header of a proxy says it. `None`, the default, if this kind of address has
    /// no such value: [`client_address`](crate::Request::client_address) then stays as it is.
    ///
    /// ```
    /// use socketserver::{Address, UnixAddress};
    /// use std::net::SocketAddr;
    ///
    /// let client = SocketAddr::from(([192, 0, 2, 1], 80));
    /// assert_eq!(SocketAddr::from_proxy(client), Some(client));
    /// assert_eq!(UnixAddress::from_proxy(client), None);
    /// ```
    fn from_proxy(client: SocketAddr) -> Option<Self> {
        let _ = client;
        None
    }
}

impl Address for SocketAddr {
    fn from_proxy(client: SocketAddr) -> Option<Self> {
        Some(client)
    }

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

/// Address of a Unix socket.
///
/// > **Coming from Python.** Python's type is `str`, `bytes`, `''` or `None`, depending on the peer
/// > and on the kind of socket. Here, the address of a client with an unbound socket is [`Unnamed`],
/// > for every kind of socket.
///
/// A client chooses the path or the name that its socket is bound to. `Display` and
/// [`to_python`](Address::to_python) therefore escape control characters, marks that change the direction
/// of text, and invalid UTF-8, so that a client cannot forge lines of a log: `/tmp/a\nb`, `/tmp/\xff`. The
/// variants have the unchanged bytes.
///
/// ```
/// use socketserver::UnixAddress;
/// use std::path::Path;
///
/// let server = UnixAddress::Path("/run/my.sock".into());
/// assert_eq!(server.as_path(), Some(Path::new("/run/my.sock")));
/// let client = UnixAddress::Unnamed;
/// assert!(client.is_unnamed());
/// assert_eq!(client.to_string(), "(unnamed)");
/// ```
///
/// [`Unnamed`]: UnixAddress::Unnamed
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnixAddress {
    /// The socket is not bound. Clients of stream servers usually have this address. A datagram
    /// client with this address cannot receive a reply.
    Unnamed,
    /// The socket is bound to this path.
    Path(PathBuf),
    /// The socket is bound to this name in the abstract namespace, which only Linux and Android have.
    /// The name excludes the leading zero byte.
    Abstract(Vec<u8>),
}

impl UnixAddress {
    /// Returns whether the socket is not bound.
    ///
    /// See the [example](Self).
    pub fn is_unnamed(&self) -> bool {
        matches!(self, Self::Unnamed)
    }

    /// Returns the path that the socket is bound to; `None` for the other two variants.
    ///
    /// See the [example](Self).
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }
}

fn escape_path(path: &Path) -> String {
    escape_bytes(path.as_os_str().as_encoded_bytes())
}

impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed => f.pad("(unnamed)"),
            Self::Path(path) => f.pad(&escape_path(path)),
            Self::Abstract(name) => f.pad(&format!("@{}", name.escape_ascii())),
        }
    }
}

impl Address for UnixAddress {
    fn to_python(&self) -> String {
        match self {
            Self::Unnamed => String::new(),
            Self::Path(path) => escape_path(path),
            Self::Abstract(name) => format!("b'\\x00{}'", name.escape_ascii()),
        }
    }
}

/// Address of a server or client, for code that works with every transport, such as
/// [`ServerHandle`].
///
/// Implements `From<SocketAddr>` and `From<UnixAddress>`, so that it can be compared with the address
/// of a transport: `*info.client_address() == (*request.client_address()).into()`.
///
/// ```
/// use socketserver::{SocketAddress, UnixAddress};
/// use std::{net::SocketAddr, path::Path};
///
/// let inet: SocketAddr = "127.0.0.1:9999".parse()?;
/// let tcp = SocketAddress::from(inet);
/// assert_eq!((tcp.ip(), tcp.port()), (Some(inet.ip()), Some(9999)));
/// assert_eq!((tcp.socket_addr(), tcp.as_path()), (Some(inet), None));
/// let unix = SocketAddress::from(UnixAddress::Path("/run/my.sock".into()));
/// assert_eq!((unix.as_path(), unix.port()), (Some(Path::new("/run/my.sock")), None));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// [`ServerHandle`]: crate::ServerHandle
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketAddress {
    /// Address of a TCP or UDP socket.
    Inet(SocketAddr),
    /// Address of a Unix socket.
    Unix(UnixAddress),
}

impl SocketAddress {
    /// Returns the IP address of a TCP or UDP socket; `None` for a Unix socket.
    ///
    /// See the [example](Self).
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_addr().map(|address| address.ip())
    }

    /// Returns IP address and port of a TCP or UDP socket; `None` for a Unix socket.
    ///
    /// See the [example](Self).
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Returns the path of a Unix socket that is bound to one; `None` for any other socket.
    ///
    /// See the [example](Self).
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Inet(_) => None,
            Self::Unix(address) => address.as_path(),
        }
    }

    /// Returns the port of a TCP or UDP socket; `None` for a Unix socket.
    ///
    /// See the [example](Self).
    pub fn port(&self) -> Option<u16> {
        self.socket_addr().map(|address| address.port())
    }

    /// Returns whether a socket with this address is bound.
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

    // The expected texts are the output of `print(address)` in CPython.
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

    /// A path with control characters, escape sequences, a direction mark and invalid UTF-8.
    #[cfg(unix)]
    #[test]
    fn names_that_clients_choose_are_escaped() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        let name = b"/tmp/a\nb\x1b[2J\xc2\x9b\xe2\x80\xae\xff";
        let path = UnixAddress::Path(OsStr::from_bytes(name).into());
        let escaped = r"/tmp/a\nb\u{1b}[2J\u{9b}\u{202e}\xff";
        assert_eq!(path.to_string(), escaped);
        assert_eq!(path.to_python(), escaped);
        assert_eq!(SocketAddress::from(path).to_string(), escaped);

        let name = UnixAddress::Abstract(name.to_vec());
        let escaped = r"/tmp/a\nb\x1b[2J\xc2\x9b\xe2\x80\xae\xff";
        assert_eq!(name.to_string(), format!("@{escaped}"));
        assert_eq!(name.to_python(), format!(r"b'\x00{escaped}'"));
    }

    #[test]
    fn the_parts_of_a_server_address_are_accessible() {
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
