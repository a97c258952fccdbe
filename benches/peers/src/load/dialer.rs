//! Opens connections from many loopback addresses.
//!
//! A client that closes first is left with the connection in TIME_WAIT for a minute; from one
//! address these would use up the ephemeral ports within seconds, and finding a free one gets
//! slower on the way there. Hence every connection comes from the next of 250 addresses, and
//! the port is chosen at connect time (IP_BIND_ADDRESS_NO_PORT), when a pair of addresses is
//! known that it has to be unique for.

use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

use crate::Result;

/// 127.0.0.1 is left to the server, .0 and .255 look like something else.
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

    /// Begin to connect a socket that does not block. On loopback the handshake is over when
    /// connect(2) returns, though it says that it is in progress.
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
