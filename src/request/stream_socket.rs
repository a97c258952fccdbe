//! The sockets under stream requests.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::address::{Address, UnixAddress};
use crate::coroutine::stream_io;
use crate::sys;
use crate::sys::poll::Direction;

/// A connected stream socket: [`TcpStream`], [`UnixStream`], or something that wraps one, such as
/// a TLS session.
///
/// Reads, writes and the end of both are asked for through `&self`, at the same time, from several
/// threads.
///
/// - **You implement** it to add a stream transport; [`StreamRequest`] does the rest.
/// - **The server calls** all of it.
/// - **One that panics** costs its own request: the handler if it is that which reads or writes, nothing if
///   it is being closed. For others who send to its client it is an error.
pub trait StreamSocket: Send + Sync + 'static {
    /// The type of client addresses.
    type Address: Address;

    /// Receives what is there, waiting for the first byte; 0 is the end of the stream.
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// The same, to the end of `buffer`, as much as fits in without making it larger. One that waits in
    /// [`before_recv`](Self::before_recv), so that the buffer is not kept meanwhile, fails with
    /// `WouldBlock` if nothing is there. The default fills the free part with zeros first, and waits.
    fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let start = buffer.len();
        buffer.resize(buffer.capacity(), 0);
        let received = self.recv(&mut buffer[start..]);
        buffer.truncate(start + received.as_ref().unwrap_or(&0));
        received
    }

    /// Called before each [`recv_spare`](Self::recv_spare), when no buffer is held: the place to wait if
    /// it is known that nothing is there, or, `in_vain`, because the last attempt has failed with
    /// `WouldBlock`. The default does nothing, and says in the latter case that this was unexpected.
    fn before_recv(&self, in_vain: bool) -> io::Result<()> {
        if in_vain {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    }

    /// The descriptor, if there is one that belongs to this connection alone and to its end: waiting
    /// for it is cheaper then. The default is `None`.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Sends some of `data`, waiting for room, and returns how much.
    fn send(&self, data: &[u8]) -> io::Result<usize>;

    /// Sends what there is room for, without waiting.
    fn try_send(&self, data: &[u8]) -> io::Result<usize>;

    /// Ends one direction or both; wakes whoever waits in it.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// Bounds how long each read and each write may wait. One that waits in vain for that long fails with
    /// an error of kind [`TimedOut`](io::ErrorKind::TimedOut).
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// The same, with a time for each of the two. The default sets both to the shorter one: one of them
    /// may be over too early, and is then waited for again.
    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.set_timeout([read, write].into_iter().flatten().min())
    }

    /// How long each write may wait, which is also how long one may wait for another to the same
    /// client. The default is without limit.
    fn write_timeout(&self) -> Option<Duration> {
        None
    }

    /// How long each read may wait. The default is without limit, or that it is not known: a time that is
    /// longer than what the socket was set to ([`Deadlines`]) can then be over late, by as much as that.
    fn read_timeout(&self) -> Option<Duration> {
        None
    }

    /// Waits until there may be something to receive, whatever time reads have. `false` if `timeout` is
    /// over (`None`: without limit). Called after a read has timed out for which there is more time. The
    /// default waits for the [`descriptor`](Self::descriptor); without one, it says at once that there
    /// may be something, so that the read is tried again.
    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.descriptor().map_or(Ok(true), |descriptor| {
            stream_io::wait(descriptor, Direction::Receive, timeout)
        })
    }

    /// The same for room to send.
    fn wait_writable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.descriptor().map_or(Ok(true), |descriptor| {
            stream_io::wait(descriptor, Direction::Send, timeout)
        })
    }

    /// Called between the shutdown of the writing side and closing, if the client has not ended its
    /// side: the place to see to it that closing does not reset the connection. The default does
    /// nothing.
    fn before_close(&self) {}
}

macro_rules! stream_socket {
    ($socket:ty, $address:ty, $most:expr) => {
        impl StreamSocket for $socket {
            type Address = $address;

            fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                stream_io::recv(self.as_fd(), buffer)
            }

            fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                stream_io::recv_spare(self.as_fd(), buffer)
            }

            fn before_recv(&self, in_vain: bool) -> io::Result<()> {
                stream_io::before_recv(self.as_fd(), in_vain)
            }

            fn descriptor(&self) -> Option<BorrowedFd<'_>> {
                Some(self.as_fd())
            }

            fn send(&self, data: &[u8]) -> io::Result<usize> {
                stream_io::send(self.as_fd(), &data[..data.len().min($most)])
            }

            fn try_send(&self, data: &[u8]) -> io::Result<usize> {
                stream_io::try_send(self.as_fd(), data)
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                stream_io::shutdown(self.as_fd(), how)
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
                // Closing with unread input resets the connection, and what the client has not
                // received by then is lost to it.
                stream_io::discard_input(self.as_fd());
            }
        }
    };
}

/// How much a Unix socket is given at once. The kernel begins its timeout anew with every part that it
/// finds room for, so that one large write to a client that reads slowly would never be over.
const UNIX_PIECE: usize = 256 * 1024;

stream_socket!(TcpStream, SocketAddr, usize::MAX);
stream_socket!(UnixStream, UnixAddress, UNIX_PIECE);
