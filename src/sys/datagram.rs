//! Receives and sends datagrams.

use rustix::fd::BorrowedFd;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::SockRef;

use crate::address::UnixAddress;
use crate::sys::error_queue::may_be_of_earlier_datagram;
use crate::sys::pktinfo::{self, Arrival};
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

/// Receives one datagram from an internet socket, and its destination if the socket
/// [reports it](crate::sys::pktinfo::report_destinations); `WouldBlock` if none has arrived.
pub(crate) fn recv_arrival(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    reports_destination: bool,
) -> io::Result<(usize, Arrival)> {
    if !reports_destination {
        let (size, peer) = recv_from_inet(fd, buffer)?;
        return Ok((size, peer.into()));
    }
    // SAFETY: as in `recv_from_unix`.
    let buffer = unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
    retry_interrupted(|| pktinfo::receive(fd, buffer))
}

/// Receives like [`recv_arrival`], but into the spare capacity of the empty vector `packet`.
#[inline]
pub(crate) fn recv_whole_inet(
    fd: BorrowedFd<'_>,
    packet: &mut Vec<u8>,
    reports_destination: bool,
) -> io::Result<Arrival> {
    if reports_destination {
        let received = || pktinfo::receive(fd, packet.spare_capacity_mut());
        let (size, arrival) = retry_interrupted(received)?;
        // SAFETY: the packet is empty, and the call has initialised the first `size` bytes of its capacity.
        unsafe { packet.set_len(size) };
        return Ok(arrival);
    }
    loop {
        let buffer = rustix::buffer::spare_capacity(packet);
        match rustix::net::recvfrom(fd, buffer, RecvFlags::DONTWAIT) {
            Ok((_, _, peer)) => {
                let peer = peer.ok_or(Errno::AFNOSUPPORT)?;
                return Ok(SocketAddr::try_from(peer)?.into());
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
    let received = || socket.recv_from_with_flags(buffer, nix::libc::MSG_DONTWAIT);
    let (size, peer) = retry_interrupted(received)?;
    let address = match (peer.as_pathname(), peer.as_abstract_namespace()) {
        (Some(path), _) => UnixAddress::Path(path.to_owned()),
        (_, Some(name)) => UnixAddress::Abstract(name.to_vec()),
        (None, None) => UnixAddress::Unnamed,
    };
    Ok((size, address))
}

fn retry_interrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Sends one datagram to an internet address.
#[inline]
pub(crate) fn send_to_inet(fd: BorrowedFd<'_>, data: &[u8], to: &SocketAddr) -> io::Result<usize> {
    retry_inet(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, to))
}

/// Sends one datagram to an internet address. It leaves from the IP address of `from`, unless the system
/// refuses: the address may have been removed, or the host may only forward for it.
pub(crate) fn send_from_inet(
    fd: BorrowedFd<'_>,
    data: &[u8],
    to: &SocketAddr,
    from: &SocketAddr,
) -> io::Result<usize> {
    let sent = retry_inet(|| pktinfo::send_from(fd, data, to, from));
    match sent.as_ref().err().and_then(Errno::from_io_error) {
        Some(Errno::INVAL | Errno::ADDRNOTAVAIL | Errno::NETUNREACH) => send_to_inet(fd, data, to),
        _ => sent,
    }
}

/// Sends one datagram to a Unix address.
pub(crate) fn send_to_unix(fd: BorrowedFd<'_>, data: &[u8], to: &UnixAddress) -> io::Result<usize> {
    let to = unix_sockaddr(to)?;
    retry_send(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, &to))
}

/// Number of times that a datagram is sent again after an error that may be that of an earlier one. Each
/// attempt takes one such error from the socket; other threads that send at the same time may add another.
const MAX_RETRIES: u32 = 8;

/// Sends one datagram of an internet socket.
#[inline]
fn retry_inet(mut operation: impl FnMut() -> Result<usize, Errno>) -> io::Result<usize> {
    let mut retries = 0;
    retry_send(|| {
        loop {
            match operation() {
                Err(error) if retries < MAX_RETRIES && may_be_of_earlier_datagram(error) => {
                    retries += 1;
                }
                sent => return sent,
            }
        }
    })
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

#[cfg(test)]
mod tests {
    use rustix::fd::{AsFd, AsRawFd};
    use std::net::{IpAddr, Ipv4Addr, UdpSocket};
    use std::os::unix::net::UnixDatagram;
    use std::path::PathBuf;

    use nix::libc;

    use super::*;

    /// The address may have been removed since the datagram arrived.
    #[test]
    #[cfg(linux_api)]
    fn a_source_that_the_system_refuses_is_left_to_it() {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = receiver.local_addr().unwrap();
        let send = |from: &str| {
            let from = (from.parse::<IpAddr>().unwrap(), 0).into();
            let sent = send_from_inet(socket.as_fd(), b"x", &to, &from);
            assert_eq!(sent.unwrap(), 1);
            receiver.recv_from(&mut [0; 1]).unwrap().1.ip()
        };
        assert_eq!(send("127.0.0.9"), Ipv4Addr::new(127, 0, 0, 9));
        assert_eq!(send("203.0.113.1"), Ipv4Addr::LOCALHOST);
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
