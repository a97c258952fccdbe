//! Connected sockets of clients.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::address::{SocketAddress, UnixAddress};
use crate::request::RequestKind;
use crate::testing::TIME_LIMIT;
use crate::testing::place::Place;

/// A socket that is connected to a server.
pub(super) struct Endpoint {
    pub(super) socket: Socket,
    /// Address that the server sees.
    pub(super) address: SocketAddress,
    /// Directory of the socket file of a Unix client.
    pub(super) place: Option<Place>,
}

impl Endpoint {
    pub(super) fn connect(server: &SocketAddress, kind: RequestKind) -> io::Result<Self> {
        let (target, domain) = target(server)?;
        let socket_type = match kind {
            RequestKind::Connection => Type::STREAM,
            RequestKind::Datagram => Type::DGRAM,
        };
        let socket = Socket::new(domain, socket_type, None)?;
        let mut place = None;
        let own_address = if domain == Domain::UNIX {
            // A name by which the server can reply, and by which the request of this client is found.
            let path = place.insert(Place::new()?).socket();
            socket.bind(&SockAddr::unix(&path)?)?;
            Some(UnixAddress::Path(path).into())
        } else {
            None
        };
        match kind {
            RequestKind::Connection => socket.connect_timeout(&target, TIME_LIMIT)?,
            RequestKind::Datagram => socket.connect(&target)?,
        }
        if domain != Domain::UNIX && kind == RequestKind::Connection {
            socket.set_tcp_nodelay(true)?; // each piece is sent at once
        }
        let address = match own_address {
            Some(address) => address,
            None => inet_address(&socket)?.into(),
        };
        Ok(Self {
            socket,
            address,
            place,
        })
    }
}

/// Returns the address to connect to, and its family. A server of all interfaces is reached by the loopback
/// interface.
fn target(server: &SocketAddress) -> io::Result<(SockAddr, Domain)> {
    match server {
        SocketAddress::Inet(address) => {
            let mut address = *address;
            if address.ip().is_unspecified() {
                address.set_ip(match address {
                    SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                    SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
                });
            }
            Ok((address.into(), Domain::for_address(address)))
        }
        SocketAddress::Unix(UnixAddress::Path(path)) => Ok((SockAddr::unix(path)?, Domain::UNIX)),
        #[cfg(unix)]
        SocketAddress::Unix(UnixAddress::Abstract(name)) => {
            use std::ffi::OsStr;
            use std::os::unix::ffi::OsStrExt;

            let path = [b"\0", &name[..]].concat();
            Ok((SockAddr::unix(OsStr::from_bytes(&path))?, Domain::UNIX))
        }
        #[cfg(not(unix))]
        SocketAddress::Unix(UnixAddress::Abstract(_)) => Err(io::ErrorKind::Unsupported.into()),
        SocketAddress::Unix(UnixAddress::Unnamed) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

fn inet_address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    address.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}
