//! Unix sockets: binding, accepting, datagrams.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use rustix::io::Errno;
use socket2::SockRef;

use crate::address::UnixAddress;
use crate::sys::accept::prepare;
use crate::sys::datagram::{retry_interrupted, retry_send};
use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::socket::{AcceptedTimeouts, send_timeout};
use crate::sys::unix::flags::NO_SIGNAL;
use crate::sys::unix::fork_gate::parked;
use crate::sys::unix::unix_address::{unix_address, unix_sockaddr};
use crate::timeout::{TimedOut, TimeoutKind};

/// Binds a socket to a Unix address.
pub(crate) fn bind_unix(fd: BorrowedFd<'_>, address: &UnixAddress) -> io::Result<()> {
    Ok(rustix::net::bind(fd, &unix_sockaddr(address)?)?)
}

/// On Linux, makes a listening Unix socket reject new connections. Connections in the backlog can still be accepted.
///
/// On other systems, this fails or only wakes waiting accepts, and the socket takes connections until it is closed.
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

/// Sends one datagram to a Unix address. Waits for free capacity in the receiver's queue until the send timeout of the
/// socket expires.
pub(crate) fn send_to_unix(fd: BorrowedFd<'_>, data: &[u8], to: &UnixAddress) -> io::Result<usize> {
    let to = unix_sockaddr(to)?;
    let send = || retry_send(fd, || rustix::net::sendto(fd, data, NO_SIGNAL, &to));
    if cfg!(linux_api) {
        return send();
    }
    retry_full(fd, send)
}

/// Interval between two attempts to send to a receiver with a full queue.
const FULL_INTERVAL: Duration = Duration::from_millis(5);

/// Repeats a send until the receiver's queue has space. Linux waits in the system call; macOS and the BSDs return an
/// error at once, and `poll(2)` does not show the space.
fn retry_full(
    fd: BorrowedFd<'_>,
    mut send: impl FnMut() -> io::Result<usize>,
) -> io::Result<usize> {
    let mut deadline = None;
    loop {
        match send() {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => {}
            sent => return sent,
        }
        let now = Instant::now();
        let end = *deadline.get_or_insert_with(|| {
            let timeout = send_timeout(fd);
            timeout.and_then(|timeout| now.checked_add(timeout))
        });
        if end.is_some_and(|end| end <= now) {
            return Err(TimedOut::error(TimeoutKind::Write, None));
        }
        parked(|| thread::sleep(FULL_INTERVAL));
    }
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
    fn a_send_to_a_full_queue_is_repeated_until_the_timeout() {
        let socket = UnixDatagram::unbound().unwrap();
        let mut left = 3;
        let sent = retry_full(socket.as_fd(), || match left {
            0 => Ok(5),
            _ => {
                left -= 1;
                Err(Errno::NOBUFS.into())
            }
        });
        assert_eq!(sent.unwrap(), 5);

        let timeout = Duration::from_millis(20);
        socket.set_write_timeout(Some(timeout)).unwrap();
        let started = Instant::now();
        let error = retry_full(socket.as_fd(), || Err(Errno::NOBUFS.into())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() >= timeout);

        let other = retry_full(socket.as_fd(), || Err(Errno::MSGSIZE.into()));
        assert_eq!(other.unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
    }

    #[test]
    fn a_client_with_the_longest_path_receives_a_reply() {
        let directory = std::env::temp_dir();
        let server = directory.join(format!("server-{}", std::process::id()));
        let socket = UnixDatagram::bind(&server).unwrap();
        // 108 bytes on Linux, 104 on macOS and the BSDs.
        let capacity =
            size_of::<libc::sockaddr_un>() - std::mem::offset_of!(libc::sockaddr_un, sun_path);
        for size in [capacity - 2, capacity - 1, capacity] {
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
