//! Batch of datagrams that one system call has received.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use crate::sys::fd::BorrowedFd;
use crate::sys::pktinfo::Arrival;

/// Received datagrams of a UDP socket that are not yet served, in the order of their arrival. Each has
/// its own buffer. The buffers are reused. Only pages that have ever received data take memory.
#[derive(Debug, Default)]
pub(crate) struct RecvBatch {
    slots: Vec<Slot>,
    /// Index of the first slot with a datagram that was not yet taken.
    next: usize,
    /// Number of slots that the last call filled.
    filled: usize,
}

#[derive(Debug)]
struct Slot {
    packet: Vec<u8>,
    arrival: Arrival,
}

impl Slot {
    fn empty() -> Self {
        Self {
            packet: Vec::new(),
            arrival: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into(),
        }
    }
}

impl RecvBatch {
    /// Maximum number of datagrams that one call receives. 32 was measured to be no faster.
    pub(crate) const MAX_LEN: usize = platform::MAX_LEN;

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.filled
    }

    /// Receives at most `wanted` datagrams that have arrived, and at least the first `size` bytes of
    /// each; also their destinations, if the socket
    /// [reports them](crate::sys::pktinfo::report_destinations). Returns their number. The batch must be
    /// empty.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if no datagram has arrived.
    pub(crate) fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        wanted: usize,
        size: usize,
        reports_destination: bool,
    ) -> io::Result<usize> {
        debug_assert!(self.is_empty(), "the batch still has datagrams");
        let wanted = wanted.clamp(1, Self::MAX_LEN);
        while self.slots.len() < wanted {
            self.slots.push(Slot::empty());
        }
        for slot in &mut self.slots[..wanted] {
            slot.packet.clear();
            slot.packet.reserve_exact(size);
        }
        (self.next, self.filled) = (0, 0);
        self.filled = platform::receive(fd, &mut self.slots[..wanted], reports_destination)?;
        Ok(self.filled)
    }

    /// Swaps the first datagram into `packet`, and keeps the previous buffer of `packet`. Returns its
    /// addresses.
    #[inline]
    pub(crate) fn take_into(&mut self, packet: &mut Vec<u8>) -> Option<Arrival> {
        let slot = self.slots[..self.filled].get_mut(self.next)?;
        self.next += 1;
        std::mem::swap(packet, &mut slot.packet);
        Some(slot.arrival)
    }
}

#[cfg(linux_api)]
mod platform {
    use crate::sys::fd::AsRawFd;
    use std::mem::{MaybeUninit, zeroed};
    use std::net::SocketAddrV6;
    use std::ptr;

    use nix::libc;

    use super::*;
    use crate::sys::control_messages::Control;
    use crate::sys::pktinfo::destination;

    pub(super) const MAX_LEN: usize = 16;

    /// Address of a peer, of either family.
    #[derive(Clone, Copy)]
    #[repr(C)]
    union PeerAddress {
        any: libc::sockaddr,
        v4: libc::sockaddr_in,
        v6: libc::sockaddr_in6,
    }

    /// Receives into the spare capacity of the slots. Returns the number of filled slots.
    pub(super) fn receive(
        fd: BorrowedFd<'_>,
        slots: &mut [Slot],
        reports_destination: bool,
    ) -> io::Result<usize> {
        let mut addresses = [const { MaybeUninit::<PeerAddress>::uninit() }; MAX_LEN];
        let mut controls = [const { Control::new() }; MAX_LEN];
        let mut buffers = [const { MaybeUninit::<libc::iovec>::uninit() }; MAX_LEN];
        let mut messages = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; MAX_LEN];
        let names = addresses.iter_mut().zip(&mut controls);
        let parts = names.zip(&mut buffers).zip(&mut messages);
        for (slot, (((address, control), buffer), message)) in slots.iter_mut().zip(parts) {
            let spare = slot.packet.spare_capacity_mut();
            let buffer = buffer.write(libc::iovec {
                iov_base: spare.as_mut_ptr().cast(),
                iov_len: spare.len(),
            });
            // SAFETY: all fields may be zero. Some systems have more fields than are set below.
            let mut header: libc::msghdr = unsafe { zeroed() };
            header.msg_name = address.as_mut_ptr().cast();
            header.msg_namelen = size_of::<PeerAddress>() as libc::socklen_t;
            header.msg_iov = buffer;
            header.msg_iovlen = 1;
            if reports_destination {
                let control = control.as_mut_bytes();
                header.msg_control = control.as_mut_ptr().cast();
                header.msg_controllen = control.len() as _;
            }
            message.write(libc::mmsghdr {
                msg_hdr: header,
                msg_len: 0,
            });
        }
        let count = slots.len().min(MAX_LEN);
        let received = receive_all(fd, &mut messages[..count])?;
        let names = addresses.iter().zip(&controls);
        let filled = slots.iter_mut().zip(&messages).zip(names);
        for ((slot, message), (address, control)) in filled.take(received) {
            // SAFETY: the loop above has written the header.
            let message = unsafe { message.assume_init_ref() };
            // SAFETY: the call has written `msg_len` bytes of the slot's spare capacity.
            unsafe { slot.packet.set_len(message.msg_len as usize) };
            // SAFETY: the call has written the sender's address, which every UDP datagram has.
            slot.arrival = socket_addr(unsafe { address.assume_init_ref() })?.into();
            if reports_destination {
                // SAFETY: the call has written `msg_controllen` bytes.
                let control = unsafe { control.initialised(message.msg_hdr.msg_controllen as _) };
                slot.arrival.destination = destination(control);
            }
        }
        Ok(received)
    }

    /// Calls `recvmmsg(2)` without waiting. Every header must be initialised, and the memory that it
    /// points to must be writable.
    fn receive_all(
        fd: BorrowedFd<'_>,
        messages: &mut [MaybeUninit<libc::mmsghdr>],
    ) -> io::Result<usize> {
        loop {
            // SAFETY: pointer and length describe initialised headers. Their pointers refer to
            // addresses and buffers in the caller's frame or in its slots.
            let received = unsafe {
                libc::recvmmsg(
                    fd.as_raw_fd(),
                    messages.as_mut_ptr().cast(),
                    messages.len() as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                    ptr::null_mut(),
                )
            };
            match usize::try_from(received) {
                Ok(received) => return Ok(received),
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }

    #[inline]
    fn socket_addr(address: &PeerAddress) -> io::Result<SocketAddr> {
        // SAFETY: every address begins with its family, which determines the valid field.
        unsafe {
            match i32::from(address.any.sa_family) {
                libc::AF_INET => {
                    let ip = Ipv4Addr::from(u32::from_be(address.v4.sin_addr.s_addr));
                    Ok((ip, u16::from_be(address.v4.sin_port)).into())
                }
                libc::AF_INET6 => {
                    let ip = address.v6.sin6_addr.s6_addr.into();
                    let port = u16::from_be(address.v6.sin6_port);
                    let flow = u32::from_be(address.v6.sin6_flowinfo);
                    Ok(SocketAddrV6::new(ip, port, flow, address.v6.sin6_scope_id).into())
                }
                _ => Err(rustix::io::Errno::AFNOSUPPORT.into()),
            }
        }
    }
}

#[cfg(not(linux_api))]
mod platform {
    use super::*;
    use crate::sys::datagram::recv_whole_inet;

    /// One, because these systems have no `recvmmsg(2)`.
    pub(super) const MAX_LEN: usize = 1;

    pub(super) fn receive(
        fd: BorrowedFd<'_>,
        slots: &mut [Slot],
        reports_destination: bool,
    ) -> io::Result<usize> {
        slots[0].arrival = recv_whole_inet(fd, &mut slots[0].packet, reports_destination)?;
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::sys::fd::AsFd;

    #[test]
    fn datagrams_keep_their_order_and_senders() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let socket = UdpSocket::bind(address).unwrap();
            crate::sys::udp::prepare(socket.as_fd()).unwrap();
            let clients = [(); 2].map(|()| UdpSocket::bind(address).unwrap());
            let sent = ["one", "", "three", "four and more"];
            for (n, packet) in sent.iter().enumerate() {
                let to = socket.local_addr().unwrap();
                clients[n % 2].send_to(packet.as_bytes(), to).unwrap();
            }
            let mut batch = RecvBatch::default();
            let mut received = Vec::new();
            while received.len() < sent.len() {
                let count = batch.receive(socket.as_fd(), 3, 6, false).unwrap();
                assert!((1..=3).contains(&count) && !batch.is_empty());
                let mut packet = Vec::new();
                while let Some(arrival) = batch.take_into(&mut packet) {
                    packet.truncate(6);
                    let packet = String::from_utf8(std::mem::take(&mut packet)).unwrap();
                    received.push((packet, arrival.peer));
                }
                assert!(batch.is_empty());
            }
            let peers = clients.map(|client| client.local_addr().unwrap());
            let expected = ["one", "", "three", "four a"].into_iter().enumerate();
            let expected = expected.map(|(n, packet)| (packet.to_owned(), peers[n % 2]));
            assert_eq!(received, expected.collect::<Vec<_>>());

            let error = batch.receive(socket.as_fd(), 3, 6, false).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            assert!(batch.is_empty());
        }
    }

    #[cfg(linux_api)]
    #[test]
    fn each_datagram_has_its_own_destination() {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert!(crate::sys::pktinfo::report_destinations(
            socket.as_fd(),
            &address
        ));
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let hosts = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 1]].map(Ipv4Addr::from);
        for host in hosts {
            sender.send_to(b"x", (host, address.port())).unwrap();
        }
        let mut batch = RecvBatch::default();
        assert_eq!(batch.receive(socket.as_fd(), 3, 1, true).unwrap(), 3);
        for host in hosts {
            let destination = batch.take_into(&mut Vec::new()).unwrap().destination;
            assert_eq!(destination.unwrap().address, (host, 0).into());
        }
    }
}
