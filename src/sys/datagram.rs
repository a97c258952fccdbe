//! Receives and sends datagrams.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;

use rustix::io::Errno;

use crate::sys::error_queue::may_be_of_earlier_datagram;
use crate::sys::fd::BorrowedFd;
use crate::sys::flags::NO_SIGNAL;
use crate::sys::pktinfo::{self, Arrival};
use crate::sys::udp;
use crate::timeout::{TimedOut, TimeoutKind};

/// Receives one datagram from an internet socket; `WouldBlock` if none has arrived.
#[inline]
pub(crate) fn recv_from_inet(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    retry_interrupted(|| udp::recv_from(fd, buffer))
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
    // SAFETY: both types have the same layout. `receive` writes received bytes only, so that the buffer stays
    // initialised.
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
    let received = || udp::recv_spare(fd, packet);
    Ok(retry_interrupted(received)?.into())
}

pub(super) fn retry_interrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
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
    retry_inet(fd, || rustix::net::sendto(fd, data, NO_SIGNAL, to))
}

/// Sends one datagram to an internet address. It leaves from the IP address of `from`, unless the system
/// refuses: the address may have been removed, or the host may only forward for it.
pub(crate) fn send_from_inet(
    fd: BorrowedFd<'_>,
    data: &[u8],
    to: &SocketAddr,
    from: &SocketAddr,
) -> io::Result<usize> {
    let sent = retry_inet(fd, || pktinfo::send_from(fd, data, to, from));
    match sent.as_ref().err().and_then(Errno::from_io_error) {
        Some(Errno::INVAL | Errno::ADDRNOTAVAIL | Errno::NETUNREACH) => send_to_inet(fd, data, to),
        _ => sent,
    }
}

/// Number of times that a datagram is sent again after an error that may be that of an earlier one. Each
/// attempt takes one such error from the socket; other threads that send at the same time may add another.
const MAX_RETRIES: u32 = 8;

/// Sends one datagram of an internet socket.
#[inline]
fn retry_inet(
    fd: BorrowedFd<'_>,
    mut operation: impl FnMut() -> Result<usize, Errno>,
) -> io::Result<usize> {
    let mut retries = 0;
    retry_send(fd, || {
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
pub(super) fn retry_send<T>(
    fd: BorrowedFd<'_>,
    mut operation: impl FnMut() -> Result<T, Errno>,
) -> io::Result<T> {
    loop {
        match operation() {
            Ok(value) => return Ok(value),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if udp::wait_for_space(fd)? => {}
            Err(Errno::AGAIN) => return Err(TimedOut::error(TimeoutKind::Write, None)),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(all(test, linux_api))]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, UdpSocket};

    use super::*;
    use crate::sys::fd::AsFd;

    /// The address may have been removed since the datagram arrived.
    #[test]
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
}
