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

/// Size of the buffer of received datagrams, below which it is enlarged. Their addresses count, too, and another
/// datagram may be in the buffer.
const MIN_RECEIVE_BUFFER: usize = 2 * MAX_DATAGRAM;

/// Makes space to send and to receive the largest datagram. On macOS and the BSDs, a socket has space to send 9 KiB by
/// default, and a larger datagram is an error. On the BSDs, it has space to receive about 42,000 bytes, and a larger
/// datagram is lost.
pub(crate) fn prepare(fd: BorrowedFd<'_>) -> io::Result<()> {
    if cfg!(not(linux_api)) {
        let socket = SockRef::from(&fd);
        // The administrator may have set a lower limit.
        if socket.send_buffer_size()? < MAX_DATAGRAM {
            let _ = socket.set_send_buffer_size(MAX_DATAGRAM);
        }
        if socket.recv_buffer_size()? < MIN_RECEIVE_BUFFER {
            let _ = socket.set_recv_buffer_size(MIN_RECEIVE_BUFFER);
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
        options.set_recv_buffer_size(42_080).unwrap();
        prepare(socket.as_fd()).unwrap();
        assert!(options.send_buffer_size().unwrap() >= MAX_DATAGRAM);
        assert!(options.recv_buffer_size().unwrap() >= MIN_RECEIVE_BUFFER);
        let to = socket.local_addr().unwrap();
        assert_eq!(socket.send_to(&[0; 65_507], to).unwrap(), 65_507);
        assert_eq!(socket.recv(&mut [0; 65_507]).unwrap(), 65_507);
    }
}
