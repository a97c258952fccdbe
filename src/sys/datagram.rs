//! Receiving and sending datagrams.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags};
use socket2::SockRef;

use crate::address::UnixAddress;
use crate::sys::socket::unix_sockaddr;
use crate::timeout::{TimedOut, TimeoutKind};

/// Receives one waiting datagram from an internet socket; `WouldBlock` if there is none.
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

/// The same, into the spare capacity of an empty vector.
#[inline]
pub(crate) fn recv_whole_inet(fd: BorrowedFd<'_>, packet: &mut Vec<u8>) -> io::Result<SocketAddr> {
    loop {
        let room = rustix::buffer::spare_capacity(packet);
        match rustix::net::recvfrom(fd, room, RecvFlags::DONTWAIT) {
            Ok((_, _, peer)) => {
                let peer = peer.ok_or(Errno::AFNOSUPPORT)?;
                return Ok(SocketAddr::try_from(peer)?);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one waiting datagram from a Unix socket; `WouldBlock` if there is none.
///
/// Through `socket2`, because the path of a Unix address may fill all of its 108 bytes, which
/// `rustix` cannot read back.
pub(crate) fn recv_from_unix(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, UnixAddress)> {
    // SAFETY: the two types have the same layout, and nothing is written through the new one but by
    // `recv_from_with_flags`, which writes bytes that it has received: the buffer stays initialised.
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
    datagram_io(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, to))
}

/// Sends one datagram to a Unix address.
pub(crate) fn send_to_unix(fd: BorrowedFd<'_>, data: &[u8], to: &UnixAddress) -> io::Result<usize> {
    let to = unix_sockaddr(to)?;
    datagram_io(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, &to))
}

/// Sends one datagram, which may wait for room, in a Unix socket as long as its send timeout says.
/// Whether the receiver has room cannot be polled for, so a signal starts that time anew.
#[inline]
fn datagram_io<T>(mut operation: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match operation() {
            Ok(value) => return Ok(value),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(TimedOut::error(TimeoutKind::Write, None)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Throws away what the system has to say about datagrams that were sent before: a socket that was asked to
/// collect that (`IP_RECVERR`) is ready to be read, for `poll`, as long as something of it is left.
#[cold]
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn discard_errors(fd: BorrowedFd<'_>) {
    let domain = rustix::net::sockopt::socket_domain(fd);
    // A Unix socket collects nothing, and takes the question for one after the next datagram.
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

/// Nothing is reaped here.
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
    fn no_datagram_is_taken_for_an_error() {
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

    /// Binds a socket to a path of this many bytes, up to all that an address has room for, which
    /// the standard library does not.
    fn bound_to_a_path_of(size: usize) -> (UnixDatagram, PathBuf) {
        let path = std::env::temp_dir().join(format!("{}-", std::process::id()));
        let mut path = path.into_os_string().into_encoded_bytes();
        path.resize(size, b'p');
        let socket = UnixDatagram::unbound().unwrap();
        // SAFETY: all bytes of this structure may be zero.
        let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in address.sun_path.iter_mut().zip(&path) {
            *to = *from as libc::c_char;
        }
        let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        // SAFETY: the address is valid for its length, and lives until the call is over.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        assert_eq!(bound, 0, "{}", io::Error::last_os_error());
        (socket, String::from_utf8(path).unwrap().into())
    }

    #[test]
    fn a_client_with_the_longest_path_is_known_and_answered() {
        let directory = std::env::temp_dir();
        let server = directory.join(format!("server-{}", std::process::id()));
        let socket = UnixDatagram::bind(&server).unwrap();
        for size in [106, 107, 108] {
            let (client, path) = bound_to_a_path_of(size);
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
