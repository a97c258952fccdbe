//! Opens connections from many loopback addresses.
//!
//! When a client closes first, its side of the connection stays in TIME_WAIT for a minute. With one
//! address, such connections would use up the ephemeral ports within seconds, and the search for a
//! free port would become slower before that. Therefore consecutive connections use 250 addresses in
//! turn. IP_BIND_ADDRESS_NO_PORT delays the choice of the port until connect(2), when both addresses
//! are known, so that the port has to be unique for this pair of addresses only.

use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

use crate::Result;

/// The range leaves out 127.0.0.1, the server's address, and .0 and .255, the usual network and
/// broadcast addresses.
const FIRST_SOURCE: u8 = 2;
const LAST_SOURCE: u8 = 251;

pub struct Dialer {
    server: SockaddrIn,
    next_source: u8,
}

impl Dialer {
    pub fn new(server: SocketAddrV4) -> Self {
        Self {
            server: server.into(),
            next_source: FIRST_SOURCE,
        }
    }

    /// Starts to connect a non-blocking socket. On loopback, the handshake is complete when connect(2)
    /// returns, although it returns EINPROGRESS.
    pub fn dial(&mut self) -> Result<TcpStream> {
        let source = self.source();
        let socket = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        bind(socket.as_raw_fd(), &source)?;
        match connect(socket.as_raw_fd(), &self.server) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(socket)),
            Err(error) => Err(format!("connect from {source}: {error}").into()),
        }
    }

    fn source(&mut self) -> SockaddrIn {
        let source = Ipv4Addr::new(127, 0, 0, self.next_source);
        self.next_source = if self.next_source == LAST_SOURCE {
            FIRST_SOURCE
        } else {
            self.next_source + 1
        };
        SocketAddrV4::new(source, 0).into()
    }
}
