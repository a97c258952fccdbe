//! Single calls on UDP sockets, which are in blocking mode.

use std::io;
use std::net::SocketAddr;

use rustix::buffer::spare_capacity;

use crate::errno::Errno;
use crate::sys::fd::BorrowedFd;
use crate::sys::unix::flags::RECV_WITHOUT_WAIT;

/// Does nothing, because a single call can receive without waiting.
pub(crate) fn prepare(_fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

/// Receives one datagram; `WouldBlock` if none has arrived.
#[inline]
pub(crate) fn recv_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    let (size, _, peer) = rustix::net::recvfrom(fd, buffer, RECV_WITHOUT_WAIT)?;
    let peer = peer.ok_or(Errno::AFNOSUPPORT)?;
    Ok((size, SocketAddr::try_from(peer)?))
}

/// Like [`recv_from`], into the spare capacity of `packet`.
#[inline]
pub(crate) fn recv_spare(fd: BorrowedFd<'_>, packet: &mut Vec<u8>) -> io::Result<SocketAddr> {
    let (_, _, peer) = rustix::net::recvfrom(fd, spare_capacity(packet), RECV_WITHOUT_WAIT)?;
    let peer = peer.ok_or(Errno::AFNOSUPPORT)?;
    Ok(SocketAddr::try_from(peer)?)
}

/// Returns `false`: a send that had no space has waited for it in the system call.
#[inline]
pub(crate) fn wait_for_space(_fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(false)
}
