//! Making sockets and moving bytes through them.
//!
//! A handler's reads and writes wait in [`stream_io`] and nowhere else: a strategy that parks a
//! waiting handler instead of blocking its thread has that one function to hook into.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketAddrAny, SocketAddrUnix};
use socket2::SockRef;

use crate::address::UnixAddress;

/// The longest queue of connections that `listen(2)` takes without a second thought. The kernel
/// caps it at its own limit (`net.core.somaxconn` on Linux, 4096 unless changed).
pub(crate) const SOMAXCONN: u32 = nix::libc::SOMAXCONN as u32;

/// Makes a bound socket listen, with a queue of `backlog` connections that nobody accepted yet.
pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: u32) -> io::Result<()> {
    SockRef::from(&fd).listen(i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// Binds a socket to a Unix address.
pub(crate) fn bind_unix(fd: BorrowedFd<'_>, address: &UnixAddress) -> io::Result<()> {
    Ok(rustix::net::bind(fd, &unix_sockaddr(address)?)?)
}

/// Runs one read or write of a request to its end.
///
/// The sockets of requests are in blocking mode, so the operation itself waits in the kernel,
/// bounded by the socket's own timeouts. `WouldBlock` therefore means that such a timeout is
/// over.
fn stream_io<T>(mut operation: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match operation() {
            Ok(value) => return Ok(value),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "timed out waiting for the client (the server's `timeout` option, or the \
                     request's `set_timeout`, says how long that may take)",
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives what is there, waiting for the first byte. 0 is the end of the stream.
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    stream_io(|| rustix::net::recv(fd, &mut *buffer, RecvFlags::empty()).map(|(n, _)| n))
}

/// Sends some of `data`, waiting for room. A vanished client is an error, never a SIGPIPE.
pub(crate) fn send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    stream_io(|| rustix::net::send(fd, data, SendFlags::NOSIGNAL))
}

/// Sends as much of `data` as there is room for right now, without waiting.
pub(crate) fn try_send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(rustix::net::send(fd, data, flags)?)
}

/// Sets the time that each read and each write may wait. `None` waits without limit.
pub(crate) fn set_timeout(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    if timeout == Some(Duration::ZERO) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a timeout of zero would never let a read or write wait: use None for no limit",
        ));
    }
    let socket = SockRef::from(&fd);
    socket.set_read_timeout(timeout)?;
    socket.set_write_timeout(timeout)
}

/// The receive timeout that a socket carries, if any.
pub(crate) fn receive_timeout(fd: BorrowedFd<'_>) -> Option<Duration> {
    SockRef::from(&fd).read_timeout().ok().flatten()
}

/// Accepts one waiting TCP connection; `WouldBlock` if there is none.
pub(crate) fn accept_tcp(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    blocking_if_inherited(&stream)?;
    Ok((stream, peer))
}

/// Accepts one waiting Unix connection; `WouldBlock` if there is none.
pub(crate) fn accept_unix(listener: &UnixListener) -> io::Result<(UnixStream, UnixAddress)> {
    let (stream, peer) = listener.accept()?;
    blocking_if_inherited(&stream)?;
    Ok((stream, unix_address(&peer)))
}

/// An accepted socket starts in blocking mode on Linux; elsewhere it may inherit the listener's
/// non-blocking mode.
fn blocking_if_inherited(socket: &impl AsFd) -> io::Result<()> {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        return Ok(());
    }
    SockRef::from(socket).set_nonblocking(false)
}

/// Receives one waiting datagram from an internet socket; `WouldBlock` if there is none.
pub(crate) fn recv_from_inet(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    let (size, peer) = recv_from(fd, buffer)?;
    let peer = peer.ok_or(Errno::AFNOSUPPORT)?;
    Ok((size, SocketAddr::try_from(peer)?))
}

/// Receives one waiting datagram from a Unix socket; `WouldBlock` if there is none.
pub(crate) fn recv_from_unix(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, UnixAddress)> {
    let (size, peer) = recv_from(fd, buffer)?;
    let Some(peer) = peer else {
        return Ok((size, UnixAddress::Unnamed));
    };
    let peer = SocketAddrUnix::try_from(peer)?;
    let address = match (peer.path_bytes(), peer.abstract_name()) {
        (Some(path), _) => UnixAddress::from_path_bytes(path),
        (_, Some(name)) => UnixAddress::Abstract(name.to_vec()),
        (None, None) => UnixAddress::Unnamed,
    };
    Ok((size, address))
}

fn recv_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddrAny>)> {
    loop {
        match rustix::net::recvfrom(fd, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((size, _, peer)) => return Ok((size, peer)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends one datagram to an internet address.
pub(crate) fn send_to_inet(fd: BorrowedFd<'_>, data: &[u8], to: &SocketAddr) -> io::Result<usize> {
    stream_io(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, to))
}

/// Sends one datagram to a Unix address.
pub(crate) fn send_to_unix(fd: BorrowedFd<'_>, data: &[u8], to: &UnixAddress) -> io::Result<usize> {
    let to = unix_sockaddr(to)?;
    stream_io(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, &to))
}

/// The kernel's form of a Unix address; an error for an unnamed one, which nothing can be sent
/// to.
fn unix_sockaddr(address: &UnixAddress) -> io::Result<SocketAddrUnix> {
    match address {
        UnixAddress::Path(path) => Ok(SocketAddrUnix::new(path.as_path())?),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        UnixAddress::Abstract(name) => Ok(SocketAddrUnix::new_abstract_name(name)?),
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        UnixAddress::Abstract(_) => Err(Errno::AFNOSUPPORT.into()),
        UnixAddress::Unnamed => Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "this Unix socket address is unnamed: nothing can be bound or sent to it (a client \
             that wants an answer to its datagram has to bind its own socket first)",
        )),
    }
}

/// A Unix socket address of the standard library, as a value that can be compared and shown.
pub(crate) fn unix_address(address: &std::os::unix::net::SocketAddr) -> UnixAddress {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(address) {
        return UnixAddress::Abstract(name.to_vec());
    }
    match address.as_pathname() {
        Some(path) => UnixAddress::Path(path.to_owned()),
        None => UnixAddress::Unnamed,
    }
}

/// What an accept loop does about an error of `accept(2)` or `recvfrom(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptError {
    /// One client is gone or one packet went wrong: take the next request.
    Transient,
    /// The process or the system is out of descriptors or memory: wait a little.
    Exhausted,
    /// The listening socket itself is unusable.
    Fatal,
}

impl AcceptError {
    pub(crate) fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(
                Errno::INTR
                | Errno::CONNABORTED
                | Errno::PROTO
                // accept(2) passes on errors that the network raised for the new connection,
                // recvfrom(2) those that an earlier reply ran into; neither concerns the others.
                | Errno::NETDOWN
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
                | Errno::OPNOTSUPP
                | Errno::CONNREFUSED
                | Errno::CONNRESET
                | Errno::TIMEDOUT
                | Errno::PERM
                | Errno::MSGSIZE,
            ) => Self::Transient,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Self::Exhausted,
            _ => Self::Fatal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_errors_are_sorted_by_what_a_loop_can_do_about_them() {
        let sort = |errno: Errno| AcceptError::of(&errno.into());
        assert_eq!(sort(Errno::CONNABORTED), AcceptError::Transient);
        assert_eq!(sort(Errno::MFILE), AcceptError::Exhausted);
        assert_eq!(sort(Errno::BADF), AcceptError::Fatal);
        assert_eq!(
            AcceptError::of(&io::Error::other("no errno")),
            AcceptError::Fatal
        );
    }
}
