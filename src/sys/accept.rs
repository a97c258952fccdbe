//! Accepting connections, and which errors of that concern one client.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::io::Errno;
use socket2::SockRef;

use crate::address::UnixAddress;
use crate::sys::socket::{AcceptedTimeouts, unix_address};

/// Accepts one waiting TCP connection; `WouldBlock` if there is none.
pub(crate) fn accept_tcp(
    listener: &TcpListener,
    timeouts: AcceptedTimeouts,
) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    prepare(stream.as_fd(), timeouts)?;
    Ok((stream, peer))
}

/// Accepts one waiting Unix connection; `WouldBlock` if there is none.
pub(crate) fn accept_unix(
    listener: &UnixListener,
    timeouts: AcceptedTimeouts,
) -> io::Result<(UnixStream, UnixAddress)> {
    let (stream, peer) = listener.accept()?;
    prepare(stream.as_fd(), timeouts)?;
    Ok((stream, unix_address(&peer)))
}

/// Makes an accepted socket usable. If that fails it is this connection's error and nobody else's.
fn prepare(fd: BorrowedFd<'_>, timeouts: AcceptedTimeouts) -> io::Result<()> {
    let prepared = || {
        // It starts in blocking mode on Linux; elsewhere it may inherit the listener's mode.
        if cfg!(not(any(target_os = "linux", target_os = "android"))) {
            SockRef::from(&fd).set_nonblocking(false)?;
        }
        timeouts.set(fd)
    };
    prepared().map_err(|error: io::Error| io::Error::new(io::ErrorKind::ConnectionAborted, error))
}

/// Whether an error of `accept(2)` or `recvfrom(2)` concerns one client, or one packet, and not the socket.
pub(crate) fn concerns_one_client(errno: Errno) -> bool {
    // A name that only Linux has.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if errno == Errno::NONET {
        return true;
    }
    matches!(
        errno,
        Errno::INTR
            | Errno::CONNABORTED
            | Errno::PROTO
            // accept(2) passes on errors that the network raised for the new connection, recvfrom(2)
            // those that an earlier reply ran into; neither concerns the others.
            | Errno::NETDOWN
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NETUNREACH
            | Errno::OPNOTSUPP
            | Errno::PROTONOSUPPORT
            | Errno::SOCKTNOSUPPORT
            | Errno::TIMEDOUT
            | Errno::PERM
            | Errno::CONNREFUSED
            | Errno::CONNRESET
            | Errno::MSGSIZE
    )
}
