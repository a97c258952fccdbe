//! Receives and sends datagrams.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags};
use socket2::SockRef;

use crate::address::UnixAddress;
use crate::sys::unix_address::unix_sockaddr;
use crate::timeout::{TimedOut, TimeoutKind};

/// Receives one datagram from an internet socket; `WouldBlock` if none has arrived.
#[inline]
pub(crate) fn recv_from_inet(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    loop {
        match rustix::net::recvfrom(fd, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((size, _, peer)) => {
                let peer = peer.ok_or(Errno::AFNOSUPPORT)?;
                return Ok((size, SocketAddr::try_from(peer)?));
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one datagram from an internet socket into the spare capacity of the empty vector `packet`;
/// `WouldBlock` if none has arrived.
#[inline]
pub(crate) fn recv_whole_inet(fd: BorrowedFd<'_>, packet: &mut Vec<u8>) -> io::Result<SocketAddr> {
    loop {
        let buffer = rustix::buffer::spare_capacity(packet);
        match rustix::net::recvfrom(fd, buffer, RecvFlags::DONTWAIT) {
            Ok((_, _, peer)) => {
                let peer = peer.ok_or(Errno::AFNOSUPPORT)?;
                return Ok(SocketAddr::try_from(peer)?);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one datagram from a Unix socket; `WouldBlock` if none has arrived.
///
/// Uses `socket2`, because `rustix` cannot read a path that fills all 108 bytes of a Unix address.
pub(crate) fn recv_from_unix(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, UnixAddress)> {
    // SAFETY: both types have the same layout. Only `recv_from_with_flags` writes through the new
    // reference, and it writes received bytes only, so that the buffer stays initialised.
    let buffer = unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
    let socket = SockRef::from(&fd);
    loop {
        match socket.recv_from_with_flags(buffer, nix::libc::MSG_DONTWAIT) {
            Ok((size, peer)) => {
                let address = match (peer.as_pathname(), peer.as_abstract_namespace()) {
                    (Some(path), _) => UnixAddress::Path(path.to_owned()),
                    (_, Some(name)) => UnixAddress::Abstract(name.to_vec()),
                    (None, None) => UnixAddress::Unnamed,
                };
                return Ok((size, address));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Sends one datagram to an internet address.
#[inline]
pub(crate) fn send_to_inet(fd: BorrowedFd<'_>, data: &[u8], to: &SocketAddr) -> io::Result<usize> {
    retry_send(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, to))
}

/// Sends one datagram to a Unix address.
pub(crate) fn send_to_unix(fd: BorrowedFd<'_>, data: &[u8], to: &UnixAddress) -> io::Result<usize> {
    let to = unix_sockaddr(to)?;
    retry_send(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, &to))
}

/// Sends one datagram. A Unix socket waits for free capacity in the receiver's queue until its send
/// timeout expires. A signal restarts this timeout, because `poll(2)` cannot report the receiver's
/// capacity.
#[inline]
fn retry_send<T>(mut operation: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match operation() {
            Ok(value) => return Ok(value),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(TimedOut::error(TimeoutKind::Write, None)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Discards queued errors of datagrams that were sent earlier. A socket with the option `IP_RECVERR`
/// queues them, and `poll` reports it as readable until the queue is empty.
#[cold]
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn discard_errors(fd: BorrowedFd<'_>) {
    let domain = rustix::net::sockopt::socket_domain(fd);
    // A Unix socket has no error queue. It ignores `ERRQUEUE` and would receive the next datagram.
    if !matches!(domain, Ok(AddressFamily::INET | AddressFamily::INET6)) {
        return;
    }
    let flags = RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT;
    for _ in 0..1024 {
        if rustix::net::recv(fd, &mut [0; 1], flags).is_err() {
            return;
        }
    }
}

/// Does nothing, because only Linux queues errors.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn discard_errors(_fd: BorrowedFd<'_>) {}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::net::UnixDatagram;
    use std::path::PathBuf;

    use nix::libc;

    use super::*;

    #[test]
    fn discarding_errors_keeps_datagrams() {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        sender.send(b"hello").unwrap();
        discard_errors(receiver.as_fd());
        receiver.set_nonblocking(true).unwrap();
        assert_eq!(receiver.recv(&mut [0; 10]).unwrap(), 5);

        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = receiver.local_addr().unwrap();
        sender.send_to(b"hello", address).unwrap();
        discard_errors(receiver.as_fd());
        receiver.set_nonblocking(true).unwrap();
        assert_eq!(receiver.recv(&mut [0; 10]).unwrap(), 5);
    }

    /// Binds a socket to a path of `size` bytes, up to the capacity of an address. The standard library
    /// accepts only shorter paths.
    fn bind_to_path_of_size(size: usize) -> (UnixDatagram, PathBuf) {
        let path = std::env::temp_dir().join(format!("{}-", std::process::id()));
        let mut path = path.into_os_string().into_encoded_bytes();
        path.resize(size, b'p');
        let socket = UnixDatagram::unbound().unwrap();
        // SAFETY: all-zero bytes are a valid value of this structure.
        let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in address.sun_path.iter_mut().zip(&path) {
            *to = *from as libc::c_char;
        }
        let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        // SAFETY: the address is valid for its length and lives until the call returns.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        assert_eq!(bound, 0, "{}", io::Error::last_os_error());
        (socket, String::from_utf8(path).unwrap().into())
    }

    #[test]
    fn a_client_with_the_longest_path_receives_a_reply() {
        let directory = std::env::temp_dir();
        let server = directory.join(format!("server-{}", std::process::id()));
        let socket = UnixDatagram::bind(&server).unwrap();
        for size in [106, 107, 108] {
            let (client, path) = bind_to_path_of_size(size);
            client.send_to(b"hello", &server).unwrap();
            let mut buffer = [0; 10];
            let (received, peer) = recv_from_unix(socket.as_fd(), &mut buffer).unwrap();
            assert_eq!((received, &peer), (5, &UnixAddress::Path(path.clone())));

            send_to_unix(socket.as_fd(), b"hi", &peer).unwrap();
            assert_eq!(client.recv(&mut buffer).unwrap(), 2);
            std::fs::remove_file(path).unwrap();
        }
        std::fs::remove_file(server).unwrap();
    }
}
