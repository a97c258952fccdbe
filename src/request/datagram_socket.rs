//! The sockets of datagram requests.

use std::io;
use std::net::{SocketAddr, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;

use crate::address::Address;
#[cfg(unix)]
use crate::address::UnixAddress;
use crate::sys;
use crate::sys::fd::AsFd;
#[cfg(doc)]
use crate::{DatagramRequest, Request};

/// A bound datagram socket: [`UdpSocket`], [`UnixDatagram`], or a type of your own.
///
/// - **You implement** it, both methods, to serve another kind of datagrams. [`DatagramRequest`] adds the
///   rest, and your [`Transport::get_request`](crate::Transport::get_request) makes the request.
/// - **The server calls** [`send_to`](Self::send_to), from any thread, also from several at the same time;
///   [`recv_from`](Self::recv_from) is for your transport.
pub trait DatagramSocket: Send + Sync + 'static {
    /// The type of client addresses.
    type Address: Address;

    /// Receives one datagram without waiting, and returns its size in `buffer` and the client's address.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; otherwise an error of `recvfrom(2)`.
    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Self::Address)>;

    /// Sends one datagram and returns its size.
    ///
    /// # Errors
    ///
    /// An error of `sendto(2)`.
    fn send_to(&self, data: &[u8], to: &Self::Address) -> io::Result<usize>;

    /// The address to which the socket is bound, for [`Request::local_address`]. The default is an error of
    /// kind `Unsupported`.
    ///
    /// # Errors
    ///
    /// An error of `getsockname(2)`.
    fn local_address(&self) -> io::Result<Self::Address> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl DatagramSocket for UdpSocket {
    type Address = SocketAddr;

    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        sys::datagram::recv_from_inet(self.as_fd(), buffer)
    }

    fn send_to(&self, data: &[u8], to: &SocketAddr) -> io::Result<usize> {
        sys::datagram::send_to_inet(self.as_fd(), data, to)
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

#[cfg(unix)]
impl DatagramSocket for UnixDatagram {
    type Address = UnixAddress;

    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, UnixAddress)> {
        sys::unix_sockets::recv_from_unix(self.as_fd(), buffer)
    }

    fn send_to(&self, data: &[u8], to: &UnixAddress) -> io::Result<usize> {
        sys::unix_sockets::send_to_unix(self.as_fd(), data, to)
    }

    fn local_address(&self) -> io::Result<UnixAddress> {
        Ok(sys::unix_address::unix_address(&self.local_addr()?))
    }
}
