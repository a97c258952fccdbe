//! The stream sockets of the standard library.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[cfg(unix)]
use crate::address::UnixAddress;
use crate::coroutine::stream_io;
use crate::request::stream_socket::StreamSocket;
use crate::sys;
use crate::sys::fd::{AsFd, BorrowedFd};

macro_rules! stream_socket {
    ($socket:ty, $address:ty, $to_address:expr, $max_send:expr) => {
        impl StreamSocket for $socket {
            type Address = $address;

            fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                stream_io::recv(self.as_fd(), buffer)
            }

            fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                stream_io::recv_spare(self.as_fd(), buffer)
            }

            fn before_recv(&self, would_block: bool) -> io::Result<()> {
                stream_io::before_recv(self.as_fd(), would_block)
            }

            fn descriptor(&self) -> Option<BorrowedFd<'_>> {
                Some(self.as_fd())
            }

            fn local_address(&self) -> io::Result<$address> {
                self.local_addr().map($to_address)
            }

            fn send(&self, data: &[u8]) -> io::Result<usize> {
                stream_io::send(self.as_fd(), &data[..data.len().min($max_send)])
            }

            fn try_send(&self, data: &[u8]) -> io::Result<usize> {
                stream_io::try_send(self.as_fd(), data)
            }

            fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                Ok(sys::transfer::recv(self.as_fd(), buffer, false)?)
            }

            fn try_send_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
                sys::transfer::send_vectored(self.as_fd(), parts)
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                Ok(sys::transfer::shutdown(self.as_fd(), how)?)
            }

            fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                sys::socket::set_timeout(self.as_fd(), timeout)
            }

            fn write_timeout(&self) -> Option<Duration> {
                sys::socket::send_timeout(self.as_fd())
            }

            fn set_timeouts(
                &self,
                read: Option<Duration>,
                write: Option<Duration>,
            ) -> io::Result<()> {
                sys::socket::set_receive_timeout(self.as_fd(), read)?;
                sys::socket::set_send_timeout(self.as_fd(), write)
            }

            fn read_timeout(&self) -> Option<Duration> {
                sys::socket::receive_timeout(self.as_fd())
            }

            fn before_close(&self) {
                // Closing with unread input resets the connection. Then the client loses what it has not
                // received yet.
                sys::transfer::discard_input(self.as_fd());
            }
        }
    };
}

/// Size in bytes of the largest single send to a Unix socket. The kernel begins the send timeout again
/// with each part that it has space for, so that a larger send to a client that reads slowly would not
/// time out.
#[cfg(unix)]
const MAX_UNIX_SEND: usize = 256 * 1024;

stream_socket!(TcpStream, SocketAddr, |address| address, usize::MAX);
#[cfg(unix)]
stream_socket!(
    UnixStream,
    UnixAddress,
    |address| sys::unix_address::unix_address(&address),
    MAX_UNIX_SEND
);
