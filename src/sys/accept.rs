//! Accepting connections, and what its errors mean.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use rustix::io::Errno;
use socket2::SockRef;

use super::socket::{set_timeout, unix_address};
use crate::address::UnixAddress;

/// Accepts one waiting TCP connection; `WouldBlock` if there is none.
pub(crate) fn accept_tcp(
    listener: &TcpListener,
    timeout: Option<Option<Duration>>,
) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    prepare(stream.as_fd(), timeout)?;
    Ok((stream, peer))
}

/// Accepts one waiting Unix connection; `WouldBlock` if there is none.
pub(crate) fn accept_unix(
    listener: &UnixListener,
    timeout: Option<Option<Duration>>,
) -> io::Result<(UnixStream, UnixAddress)> {
    let (stream, peer) = listener.accept()?;
    prepare(stream.as_fd(), timeout)?;
    Ok((stream, unix_address(&peer)))
}

/// Makes an accepted socket usable. If that fails it is this connection's error and nobody else's.
fn prepare(fd: BorrowedFd<'_>, timeout: Option<Option<Duration>>) -> io::Result<()> {
    let prepared = || {
        // It starts in blocking mode on Linux; elsewhere it may inherit the listener's mode.
        if cfg!(not(any(target_os = "linux", target_os = "android"))) {
            SockRef::from(&fd).set_nonblocking(false)?;
        }
        timeout.map_or(Ok(()), |timeout| set_timeout(fd, timeout))
    };
    prepared().map_err(|error: io::Error| io::Error::new(io::ErrorKind::ConnectionAborted, error))
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
        // What a transport says about a connection that it could not make usable.
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return Self::Transient;
        }
        // A name that only Linux has.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if Errno::from_io_error(error) == Some(Errno::NONET) {
            return Self::Transient;
        }
        match Errno::from_io_error(error) {
            Some(
                Errno::INTR
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
        assert_eq!(sort(Errno::HOSTUNREACH), AcceptError::Transient);
        assert_eq!(sort(Errno::MFILE), AcceptError::Exhausted);
        assert_eq!(sort(Errno::BADF), AcceptError::Fatal);
        assert_eq!(
            AcceptError::of(&io::Error::other("no errno")),
            AcceptError::Fatal
        );
    }
}
