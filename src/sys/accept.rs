//! Accepts connections, and classifies the errors that concern one client.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::SockRef;

use crate::errno::{self, Errno};
use crate::sys::disconnect::is_unreachable;
use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::socket::AcceptedTimeouts;
use crate::sys::transfer::CAN_WAIT;

/// Accepts one TCP connection from the backlog; `WouldBlock` if the backlog is empty.
pub(crate) fn accept_tcp(
    listener: &TcpListener,
    timeouts: AcceptedTimeouts,
) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = accept(listener)?;
    prepare(stream.as_fd(), timeouts)?;
    Ok((stream, peer))
}

#[cfg(not(any(target_vendor = "apple", all(unix, socketserver_portable))))]
fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    listener.accept()
}

/// Accepts a connection. `ECONNABORTED` if the client has reset it: macOS then returns a socket without an
/// address, for which `std` returns an error that looks like one of the listener.
#[cfg(any(target_vendor = "apple", all(unix, socketserver_portable)))]
fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    use crate::sys::datagram::retry_interrupted;
    use crate::sys::descriptor::set_close_on_exec;

    let accepted = || Ok(rustix::net::acceptfrom(listener)?);
    let (stream, peer) = retry_interrupted(accepted)?;
    let peer = peer.ok_or(Errno::CONNABORTED)?;
    set_close_on_exec(stream.as_fd())?;
    Ok((stream.into(), SocketAddr::try_from(peer)?))
}

/// Sets an option of a listener that accepted sockets inherit: a write to a closed connection is an error, not a
/// SIGPIPE. An accepted socket whose client has closed it already cannot be given the option any more. Other systems
/// have a flag for each write.
pub(crate) fn prepare_listener(_fd: BorrowedFd<'_>) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    SockRef::from(&_fd).set_nosigpipe(true)?;
    Ok(())
}

/// Sets the mode and the timeouts of an accepted socket. An error has the kind `ConnectionAborted`,
/// because it concerns only this connection.
pub(super) fn prepare(fd: BorrowedFd<'_>, timeouts: AcceptedTimeouts) -> io::Result<()> {
    let prepared = || {
        // Accepted sockets are in blocking mode on Linux. On other systems they may inherit the
        // listener's mode.
        if cfg!(not(linux_api)) {
            SockRef::from(&fd).set_nonblocking(!CAN_WAIT)?;
        }
        #[cfg(target_vendor = "apple")]
        crate::sys::socket::if_open(SockRef::from(&fd).set_nosigpipe(true))?;
        #[cfg(windows)]
        crate::sys::descriptor::set_close_on_exec(fd)?;
        timeouts.set(fd)
    };
    prepared().map_err(|error: io::Error| io::Error::new(io::ErrorKind::ConnectionAborted, error))
}

/// Returns whether an error of `accept(2)` or `recvfrom(2)` concerns one client or one packet, and not
/// the socket.
pub(crate) fn concerns_one_client(errno: Errno) -> bool {
    is_unreachable(errno)
        || matches!(
            errno,
            Errno::INTR
            | Errno::CONNABORTED
            | errno::PROTO
            // accept(2) returns network errors of the new connection. recvfrom(2) returns errors of
            // earlier replies.
            | Errno::NETDOWN
            | Errno::NOPROTOOPT
            | Errno::OPNOTSUPP
            | Errno::PROTONOSUPPORT
            | Errno::SOCKTNOSUPPORT
            | Errno::TIMEDOUT
            | errno::PERM
            | Errno::ACCESS
            | Errno::CONNREFUSED
            | Errno::CONNRESET
            // Windows: a reply has exceeded its time to live.
            | Errno::NETRESET
            | Errno::MSGSIZE
        )
}
