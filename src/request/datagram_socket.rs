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
///
/// A socket that counts what it sends:
///
/// ```
/// use socketserver::request::{DatagramRequest, DatagramSocket};
/// use socketserver::ServerHandle;
/// use std::net::{SocketAddr, UdpSocket};
/// use std::sync::Arc;
/// use std::{io, sync::atomic::{AtomicUsize, Ordering}};
///
/// struct Counting(UdpSocket, AtomicUsize);
///
/// impl DatagramSocket for Counting {
///     type Address = SocketAddr;
///
///     fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
///         DatagramSocket::recv_from(&self.0, buffer)
///     }
///
///     fn send_to(&self, data: &[u8], to: &SocketAddr) -> io::Result<usize> {
///         self.1.fetch_add(data.len(), Ordering::Relaxed);
///         DatagramSocket::send_to(&self.0, data, to)
///     }
///
///     fn local_address(&self) -> io::Result<SocketAddr> {
///         DatagramSocket::local_address(&self.0)
///     }
/// }
///
/// /// What `get_request` of a transport does.
/// fn receive(socket: &Arc<Counting>, server: &ServerHandle) -> io::Result<DatagramRequest<Counting>> {
///     let mut buffer = [0; 1000];
///     let (size, client) = socket.recv_from(&mut buffer)?;
///     Ok(DatagramRequest::new(&buffer[..size], false, client, Arc::clone(socket), server))
/// }
///
/// let socket = Counting(UdpSocket::bind("127.0.0.1:0")?, AtomicUsize::new(0));
/// let to = socket.local_address()?;
/// assert_eq!(DatagramSocket::send_to(&socket, b"hello", &to)?, 5);
/// assert_eq!(socket.1.into_inner(), 5);
/// # Ok::<(), io::Error>(())
/// ```
pub trait DatagramSocket: Send + Sync + 'static {
    /// The type of client addresses.
    type Address: Address;

    /// Receives one datagram without waiting, and returns its size in `buffer` and the client's address.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; otherwise an error of `recvfrom(2)`.
    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Self::Address)>;

    /// Sends one datagram and returns its size.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// An error of `sendto(2)`.
    fn send_to(&self, data: &[u8], to: &Self::Address) -> io::Result<usize>;

    /// The address to which the socket is bound, for [`Request::local_address`]. The default is an error of
    /// kind `Unsupported`.
    ///
    /// See the [example](Self).
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
