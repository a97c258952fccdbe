//! The addresses that TCP and UDP servers are bound to.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};

/// What a TCP or UDP server can be bound to: one address, or an array, a slice or a `Vec` of addresses, each of
/// which gets a socket.
///
/// | type | example |
/// | --- | --- |
/// | texts | `"127.0.0.1:9999"`, `"[::1]:9999"`, `"localhost:9999"` |
/// | pairs of a host and a port, which is a `u16` | `("localhost", 9999)`, `(Ipv4Addr::LOCALHOST, 9999)` |
/// | addresses of `std` | `SocketAddr`, `SocketAddrV4`, `SocketAddrV6` |
/// | [`FirstOf`] | one socket, for the first address of several that works |
/// | lists of these, and references to them | `["127.0.0.1:9999", "[::1]:9999"]` |
///
/// ```
/// use socketserver::transport::InetAddresses;
///
/// let sockets = |addresses: &dyn InetAddresses| addresses.sockets().len();
/// assert_eq!(sockets(&("localhost", 9999)), 1); // even if the name has several addresses
/// assert_eq!(sockets(&["127.0.0.1:9999", "[::1]:9999"]), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no address of a TCP or UDP server",
    label = "not an address",
    note = "such as `\"127.0.0.1:9999\"` or `(\"127.0.0.1\", 9999)`, the port being a `u16`, or a list of them"
)]
pub trait InetAddresses {
    /// Returns the sockets to bind, each with the addresses that are tried for it.
    ///
    /// See the [example](Self).
    fn sockets(&self) -> Vec<FirstOf>;
}

/// One socket, for the first address that works: what a host name with several addresses means. IPv4 addresses
/// are tried first.
///
/// ```
/// use socketserver::{prelude::*, transport::FirstOf};
/// use std::net::SocketAddr;
///
/// # let hello = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hello")?));
/// let used = TcpServer::bind("127.0.0.1:0", hello())?;
/// let wanted: [SocketAddr; 2] = [*used.server_address(), "127.0.0.1:0".parse()?];
/// let server = TcpServer::bind(FirstOf::new(&wanted[..]), hello())?;
/// assert_eq!(server.server_addresses().count(), 1);
/// assert!(TcpServer::bind(wanted, hello()).is_err()); // all of them
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Debug)]
pub struct FirstOf {
    /// Text for errors.
    text: String,
    addresses: io::Result<Vec<SocketAddr>>,
}

impl FirstOf {
    /// Resolves an address. [`ToSocketAddrs`] is implemented for every address of a server and for slices of
    /// [`SocketAddr`].
    ///
    /// An error is reported when the server is bound.
    ///
    /// See the [example](Self).
    pub fn new(address: impl ToSocketAddrs + fmt::Debug) -> Self {
        let text = format!("{address:?}");
        let addresses = match all_interfaces(&text) {
            Some(address) => Ok(vec![address]),
            None => address.to_socket_addrs().map(Iterator::collect),
        };
        let addresses = addresses.map(|mut addresses: Vec<_>| {
            addresses.sort_by_key(SocketAddr::is_ipv6);
            addresses
        });
        Self { text, addresses }
    }

    /// Returns the text of the address, and its addresses in the order in which they are tried.
    pub(super) fn into_parts(self) -> (String, io::Result<Vec<SocketAddr>>) {
        (self.text, self.addresses)
    }
}

/// Returns the address of all interfaces for Python's empty host, `("", 9999)`. `text` is the debug format of the
/// address. A resolver finds nothing for such a host, or the loopback address, depending on the system.
fn all_interfaces(text: &str) -> Option<SocketAddr> {
    let port = text.strip_prefix("(\"\", ")?.strip_suffix(')')?;
    Some((Ipv4Addr::UNSPECIFIED, port.parse().ok()?).into())
}

macro_rules! one_socket {
    ($($address:ty),* $(,)?) => {
        $(impl InetAddresses for $address {
            fn sockets(&self) -> Vec<FirstOf> {
                vec![FirstOf::new(self)]
            }
        })*
    };
}

one_socket!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16),
    (&str, u16),
    (String, u16),
    str,
    String,
);

impl InetAddresses for FirstOf {
    fn sockets(&self) -> Vec<FirstOf> {
        let addresses = match &self.addresses {
            Ok(addresses) => Ok(addresses.clone()),
            // An `io::Error` cannot be cloned.
            Err(error) => Err(match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
        };
        vec![FirstOf {
            text: self.text.clone(),
            addresses,
        }]
    }
}

impl<A: InetAddresses + ?Sized> InetAddresses for &A {
    fn sockets(&self) -> Vec<FirstOf> {
        (**self).sockets()
    }
}

impl<A: InetAddresses> InetAddresses for [A] {
    fn sockets(&self) -> Vec<FirstOf> {
        self.iter().flat_map(A::sockets).collect()
    }
}

impl<A: InetAddresses, const N: usize> InetAddresses for [A; N] {
    fn sockets(&self) -> Vec<FirstOf> {
        self[..].sockets()
    }
}

impl<A: InetAddresses> InetAddresses for Vec<A> {
    fn sockets(&self) -> Vec<FirstOf> {
        self[..].sockets()
    }
}
