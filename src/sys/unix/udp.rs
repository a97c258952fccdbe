//! Single calls on UDP sockets, which are in blocking mode.

use std::io;
use std::net::SocketAddr;

use rustix::buffer::spare_capacity;
use socket2::SockRef;

use crate::errno::Errno;
use crate::sys::fd::BorrowedFd;
use crate::sys::unix::flags::RECV_WITHOUT_WAIT;

/// Size of the largest datagram, with its headers.
const MAX_DATAGRAM: usize = 65_535;

/// Makes space to send the largest datagram. On macOS and the BSDs, a socket has space for 9 KiB by default, and a
/// larger datagram is an error.
pub(crate) fn prepare(fd: BorrowedFd<'_>) -> io::Result<()> {
    if cfg!(not(linux_api)) {
        let socket = SockRef::from(&fd);
        if socket.send_buffer_size()? < MAX_DATAGRAM {
            // The administrator may have set a lower limit.
            let _ = socket.set_send_buffer_size(MAX_DATAGRAM);
        }
    }
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

#[cfg(all(test, not(linux_api)))]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::sys::fd::AsFd;

    #[test]
    fn the_largest_datagram_has_space() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let options = SockRef::from(&socket);
        options.set_send_buffer_size(9216).unwrap();
        prepare(socket.as_fd()).unwrap();
        assert!(options.send_buffer_size().unwrap() >= MAX_DATAGRAM);
        let to = socket.local_addr().unwrap();
        assert_eq!(socket.send_to(&[0; 65_507], to).unwrap(), 65_507);
    }
}
