//! Unix sockets: binding, accepting, datagrams.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::net::{UnixListener, UnixStream};

use nix::libc;
use socket2::SockRef;

use crate::address::UnixAddress;
use crate::sys::accept::prepare;
use crate::sys::datagram::{retry_interrupted, retry_send};
use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::socket::AcceptedTimeouts;
use crate::sys::unix::flags::NO_SIGNAL;
use crate::sys::unix::unix_address::{unix_address, unix_sockaddr};

/// Binds a socket to a Unix address.
pub(crate) fn bind_unix(fd: BorrowedFd<'_>, address: &UnixAddress) -> io::Result<()> {
    Ok(rustix::net::bind(fd, &unix_sockaddr(address)?)?)
}

/// Makes a listening Unix socket reject new connections. Connections in the backlog can still be
/// accepted.
pub(crate) fn stop_new_unix_connections(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::shutdown(fd, rustix::net::Shutdown::Read)?)
}

/// Accepts one Unix connection from the backlog; `WouldBlock` if the backlog is empty.
pub(crate) fn accept_unix(
    listener: &UnixListener,
    timeouts: AcceptedTimeouts,
) -> io::Result<(UnixStream, UnixAddress)> {
    let (stream, peer) = listener.accept()?;
    prepare(stream.as_fd(), timeouts)?;
    Ok((stream, unix_address(&peer)))
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
    let received = || socket.recv_from_with_flags(buffer, libc::MSG_DONTWAIT);
    let (size, peer) = retry_interrupted(received)?;
    let address = match (peer.as_pathname(), peer.as_abstract_namespace()) {
        (Some(path), _) => UnixAddress::Path(path.to_owned()),
        (_, Some(name)) => UnixAddress::Abstract(name.to_vec()),
        (None, None) => UnixAddress::Unnamed,
    };
    Ok((size, address))
}

/// Sends one datagram to a Unix address.
pub(crate) fn send_to_unix(fd: BorrowedFd<'_>, data: &[u8], to: &UnixAddress) -> io::Result<usize> {
    let to = unix_sockaddr(to)?;
    retry_send(fd, || rustix::net::sendto(fd, data, NO_SIGNAL, &to))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::path::PathBuf;

    use crate::sys::fd::AsRawFd;

    use super::*;

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
