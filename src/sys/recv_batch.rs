//! Datagrams that were received, several by one system call, and not yet served.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;

/// Datagrams of a UDP socket, in the order of their arrival, each in a buffer of its own. The
/// buffers are kept, and only what was ever received into them takes memory.
#[derive(Debug, Default)]
pub(crate) struct RecvBatch {
    slots: Vec<Slot>,
    /// The number of the first slot whose datagram was not taken yet.
    next: usize,
    /// The number of slots that were filled last.
    filled: usize,
}

#[derive(Debug)]
struct Slot {
    packet: Vec<u8>,
    peer: SocketAddr,
}

impl Slot {
    fn empty() -> Self {
        Self {
            packet: Vec::new(),
            peer: (Ipv4Addr::UNSPECIFIED, 0).into(),
        }
    }
}

impl RecvBatch {
    /// How many datagrams one call can receive: with 32, it is no faster.
    pub(crate) const MOST: usize = platform::MOST;

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.filled
    }

    /// Receives those that are waiting: at least one (else `WouldBlock`), at most `wanted`; of each at
    /// least the first `size` bytes. Returns how many. None may be left from the last time.
    pub(crate) fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        wanted: usize,
        size: usize,
    ) -> io::Result<usize> {
        debug_assert!(self.is_empty(), "these would be lost");
        let wanted = wanted.clamp(1, Self::MOST);
        while self.slots.len() < wanted {
            self.slots.push(Slot::empty());
        }
        for slot in &mut self.slots[..wanted] {
            slot.packet.clear();
            slot.packet.reserve_exact(size);
        }
        (self.next, self.filled) = (0, 0);
        self.filled = platform::receive(fd, &mut self.slots[..wanted])?;
        Ok(self.filled)
    }

    /// Takes the first, in exchange for an empty buffer, and says who sent it.
    #[inline]
    pub(crate) fn take_into(&mut self, packet: &mut Vec<u8>) -> Option<SocketAddr> {
        let slot = self.slots[..self.filled].get_mut(self.next)?;
        self.next += 1;
        std::mem::swap(packet, &mut slot.packet);
        Some(slot.peer)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use std::mem::{MaybeUninit, zeroed};
    use std::net::SocketAddrV6;
    use std::os::fd::AsRawFd;
    use std::ptr;

    use nix::libc;

    use super::*;

    pub(super) const MOST: usize = 16;

    /// Room for the address of a peer, of either family.
    #[derive(Clone, Copy)]
    #[repr(C)]
    union Name {
        any: libc::sockaddr,
        v4: libc::sockaddr_in,
        v6: libc::sockaddr_in6,
    }

    /// Fills the spare capacity of the first slots, and says of how many.
    pub(super) fn receive(fd: BorrowedFd<'_>, slots: &mut [Slot]) -> io::Result<usize> {
        let mut names = [const { MaybeUninit::<Name>::uninit() }; MOST];
        let mut parts = [const { MaybeUninit::<libc::iovec>::uninit() }; MOST];
        let mut messages = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; MOST];
        let places = names.iter_mut().zip(&mut parts).zip(&mut messages);
        for (slot, ((name, part), message)) in slots.iter_mut().zip(places) {
            let room = slot.packet.spare_capacity_mut();
            let part = part.write(libc::iovec {
                iov_base: room.as_mut_ptr().cast(),
                iov_len: room.len(),
            });
            // SAFETY: all fields may be zero; some systems have more of them than are set below.
            let mut header: libc::msghdr = unsafe { zeroed() };
            header.msg_name = name.as_mut_ptr().cast();
            header.msg_namelen = size_of::<Name>() as libc::socklen_t;
            header.msg_iov = part;
            header.msg_iovlen = 1;
            message.write(libc::mmsghdr {
                msg_hdr: header,
                msg_len: 0,
            });
        }
        let count = slots.len().min(MOST);
        let received = receive_all(fd, &mut messages[..count])?;
        for ((slot, message), name) in slots.iter_mut().zip(&messages).zip(&names).take(received) {
            // SAFETY: the header was written above, and `msg_len` bytes of the slot's spare capacity
            // by the call.
            unsafe {
                let size = message.assume_init_ref().msg_len as usize;
                slot.packet.set_len(size);
            }
            // SAFETY: the call has written the address of a peer, as every UDP socket does.
            slot.peer = peer(unsafe { name.assume_init_ref() })?;
        }
        Ok(received)
    }

    /// `recvmmsg(2)`, without waiting. Every header has to be initialised, and what it points to
    /// has to be writable.
    fn receive_all(
        fd: BorrowedFd<'_>,
        messages: &mut [MaybeUninit<libc::mmsghdr>],
    ) -> io::Result<usize> {
        loop {
            // SAFETY: the pointer and the number are those of initialised headers, whose pointers are to
            // names, parts and buffers that live in the caller's frame or in its slots.
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
    fn peer(name: &Name) -> io::Result<SocketAddr> {
        // SAFETY: every address begins with its family, which says what it is.
        unsafe {
            match i32::from(name.any.sa_family) {
                libc::AF_INET => {
                    let address = Ipv4Addr::from(u32::from_be(name.v4.sin_addr.s_addr));
                    Ok((address, u16::from_be(name.v4.sin_port)).into())
                }
                libc::AF_INET6 => {
                    let (address, port) = (name.v6.sin6_addr.s6_addr, name.v6.sin6_port);
                    let (flow, scope) = (name.v6.sin6_flowinfo, name.v6.sin6_scope_id);
                    let port = u16::from_be(port);
                    Ok(SocketAddrV6::new(address.into(), port, u32::from_be(flow), scope).into())
                }
                _ => Err(rustix::io::Errno::AFNOSUPPORT.into()),
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod platform {
    use super::*;
    use crate::sys::datagram::recv_whole_inet;

    /// There is no such call.
    pub(super) const MOST: usize = 1;

    pub(super) fn receive(fd: BorrowedFd<'_>, slots: &mut [Slot]) -> io::Result<usize> {
        slots[0].peer = recv_whole_inet(fd, &mut slots[0].packet)?;
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn datagrams_come_out_in_order_with_their_senders() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let socket = UdpSocket::bind(address).unwrap();
            let clients = [(); 2].map(|()| UdpSocket::bind(address).unwrap());
            let sent = ["one", "", "three", "four and more"];
            for (n, packet) in sent.iter().enumerate() {
                let to = socket.local_addr().unwrap();
                clients[n % 2].send_to(packet.as_bytes(), to).unwrap();
            }
            let mut batch = RecvBatch::default();
            let mut received = Vec::new();
            while received.len() < sent.len() {
                let some = batch.receive(socket.as_fd(), 3, 6).unwrap();
                assert!((1..=3).contains(&some) && !batch.is_empty());
                let mut packet = Vec::new();
                while let Some(peer) = batch.take_into(&mut packet) {
                    packet.truncate(6);
                    let packet = String::from_utf8(std::mem::take(&mut packet)).unwrap();
                    received.push((packet, peer));
                }
                assert!(batch.is_empty());
            }
            let peers = clients.map(|client| client.local_addr().unwrap());
            let expected = ["one", "", "three", "four a"].into_iter().enumerate();
            let expected = expected.map(|(n, packet)| (packet.to_owned(), peers[n % 2]));
            assert_eq!(received, expected.collect::<Vec<_>>());

            let nothing = batch.receive(socket.as_fd(), 3, 6).unwrap_err();
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
            assert!(batch.is_empty());
        }
    }
}
