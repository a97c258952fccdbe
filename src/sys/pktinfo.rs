//! Destination addresses of received datagrams, and datagrams that leave from a given address
//! (`IP_PKTINFO`, `IPV6_PKTINFO`).
//!
//! A socket that is bound to an unspecified address, such as 0.0.0.0, receives datagrams for all
//! addresses of the host. The system sends a reply from an address of its own choice, which a connected
//! client or a firewall drops if it is not the address that was asked.

use std::net::SocketAddr;

/// Sender of a received datagram, and its destination if the socket reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) peer: SocketAddr,
    pub(crate) destination: Option<Destination>,
}

impl From<SocketAddr> for Arrival {
    fn from(peer: SocketAddr) -> Self {
        Self {
            peer,
            destination: None,
        }
    }
}

/// Address to which a datagram was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The port is 0, because the system reports the address only.
    pub(crate) address: SocketAddr,
    /// Whether a reply can leave from the address. It cannot leave from a multicast group or from a
    /// broadcast address.
    pub(crate) is_unicast: bool,
}

#[cfg(linux_api)]
pub(super) use platform::destination;
pub(crate) use platform::report_destinations;
pub(super) use platform::{receive, send_from};

#[cfg(linux_api)]
mod platform {
    use crate::sys::fd::BorrowedFd;
    use std::io::{self, IoSlice};
    use std::mem::MaybeUninit;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};

    use nix::libc;
    use rustix::io::Errno;
    use socket2::{MaybeUninitSlice, MsgHdr, MsgHdrMut, SockAddr, SockAddrStorage, SockRef};

    use super::*;
    use crate::sys::control_messages::{Control, messages};
    use crate::sys::socket::set_int_option;

    /// Makes a socket that is bound to `address` report the destination of each datagram, if it can have
    /// several. Returns whether it does.
    pub(crate) fn report_destinations(fd: BorrowedFd<'_>, address: &SocketAddr) -> bool {
        if !address.ip().to_canonical().is_unspecified() {
            return false;
        }
        // Datagrams over IPv4 that an IPv6 socket receives have both messages, and only the one of IPv4
        // tells a broadcast from others.
        let v4 = set_int_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1);
        match address {
            SocketAddr::V4(_) => v4.is_ok(),
            SocketAddr::V6(_) => {
                set_int_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1).is_ok()
            }
        }
    }

    /// Receives one datagram and its destination without waiting. Returns its size in `buffer`; so many
    /// bytes are initialised.
    pub(in crate::sys) fn receive(
        fd: BorrowedFd<'_>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> io::Result<(usize, Arrival)> {
        let storage = SockAddrStorage::zeroed();
        let capacity = storage.size_of();
        // SAFETY: all bytes are initialised; the call writes an address and its family.
        let mut peer = unsafe { SockAddr::new(storage, capacity) };
        let mut control = Control::new();
        let mut buffers = [MaybeUninitSlice::new(buffer)];
        let mut message = MsgHdrMut::new()
            .with_addr(&mut peer)
            .with_buffers(&mut buffers)
            .with_control(control.as_mut_bytes());
        let size = SockRef::from(&fd).recvmsg(&mut message, libc::MSG_DONTWAIT)?;
        let control_size = message.control_len();
        let peer = peer.as_socket().ok_or(Errno::AFNOSUPPORT)?;
        // SAFETY: the call has written this many bytes.
        let destination = destination(unsafe { control.initialised(control_size) });
        Ok((size, Arrival { peer, destination }))
    }

    /// Sends one datagram that leaves from the IP address of `from`.
    pub(in crate::sys) fn send_from(
        fd: BorrowedFd<'_>,
        data: &[u8],
        to: &SocketAddr,
        from: &SocketAddr,
    ) -> Result<usize, Errno> {
        let to = SockAddr::from(*to);
        let data = [IoSlice::new(data)];
        let mut control = Control::new();
        let source = write_source(&mut control, from);
        let message = MsgHdr::new().with_addr(&to).with_buffers(&data);
        let message = message.with_control(source);
        let sent = SockRef::from(&fd).sendmsg(&message, libc::MSG_NOSIGNAL);
        sent.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }

    /// Writes the message that makes a datagram leave from an address. Returns its bytes.
    pub(super) fn write_source<'a>(control: &'a mut Control, from: &SocketAddr) -> &'a [u8] {
        match from {
            SocketAddr::V4(from) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from(*from.ip()).to_be(),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                control.write(libc::IPPROTO_IP, libc::IP_PKTINFO, info)
            }
            SocketAddr::V6(from) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: from.ip().octets(),
                    },
                    ipi6_ifindex: from.scope_id() as _,
                };
                control.write(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
            }
        }
    }

    /// Returns the destination that is reported by control messages.
    pub(in crate::sys) fn destination(control: &[u8]) -> Option<Destination> {
        let (mut v4, mut v6) = (None, None);
        for message in messages(control) {
            match (message.level, message.kind) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    // SAFETY: the structure consists of integers.
                    v4 = unsafe { message.content::<libc::in_pktinfo>() };
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    // SAFETY: as above.
                    v6 = unsafe { message.content::<libc::in6_pktinfo>() };
                }
                _ => {}
            }
        }
        match (v4, v6) {
            (v4, Some(v6)) => Some(destination_v6(v4, v6)),
            (Some(v4), None) => Some(Destination {
                address: (ip_v4(v4.ipi_addr), 0).into(),
                is_unicast: is_unicast_v4(v4),
            }),
            (None, None) => None,
        }
    }

    fn destination_v6(v4: Option<libc::in_pktinfo>, v6: libc::in6_pktinfo) -> Destination {
        let ip = Ipv6Addr::from(v6.ipi6_addr.s6_addr);
        let is_unicast = match (ip.to_canonical(), v4) {
            (IpAddr::V4(_), Some(v4)) => is_unicast_v4(v4),
            (ip, _) => !ip.is_multicast(),
        };
        // As in `getsockname(2)`: only addresses that are unique on one link name an interface.
        let scope = match ip.segments()[0] {
            first if first & 0xffc0 == 0xfe80 => v6.ipi6_ifindex as _,
            first if first & 0xff0f == 0xff01 || first & 0xff0f == 0xff02 => v6.ipi6_ifindex as _,
            _ => 0,
        };
        Destination {
            address: SocketAddrV6::new(ip, 0, 0, scope).into(),
            is_unicast,
        }
    }

    /// Returns whether the destination is an address of this host, and not that of a group. Datagrams that
    /// arrived before the socket reported destinations have no `ipi_spec_dst`.
    fn is_unicast_v4(info: libc::in_pktinfo) -> bool {
        let (own, destination) = (ip_v4(info.ipi_spec_dst), ip_v4(info.ipi_addr));
        let is_group = destination.is_multicast() || destination.is_broadcast();
        own == destination || (own.is_unspecified() && !is_group)
    }

    fn ip_v4(address: libc::in_addr) -> Ipv4Addr {
        u32::from_be(address.s_addr).into()
    }
}

#[cfg(not(linux_api))]
mod platform {
    use crate::sys::fd::BorrowedFd;
    use std::io;
    use std::mem::MaybeUninit;

    use super::*;
    use crate::sys::flags::{NO_SIGNAL, RECV_WITHOUT_WAIT};
    use rustix::io::Errno;

    /// Returns `false`, because these systems have other interfaces, or none.
    pub(crate) fn report_destinations(_fd: BorrowedFd<'_>, _address: &SocketAddr) -> bool {
        false
    }

    pub(in crate::sys) fn receive(
        fd: BorrowedFd<'_>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> io::Result<(usize, Arrival)> {
        let ((data, _), _, peer) = rustix::net::recvfrom(fd, buffer, RECV_WITHOUT_WAIT)?;
        let peer = SocketAddr::try_from(peer.ok_or(Errno::AFNOSUPPORT)?)?;
        Ok((data.len(), peer.into()))
    }

    pub(in crate::sys) fn send_from(
        fd: BorrowedFd<'_>,
        data: &[u8],
        to: &SocketAddr,
        _from: &SocketAddr,
    ) -> Result<usize, Errno> {
        rustix::net::sendto(fd, data, NO_SIGNAL, to)
    }
}

#[cfg(all(test, linux_api))]
mod tests {
    use crate::sys::fd::AsFd;
    use std::mem::MaybeUninit;
    use std::net::{IpAddr, Ipv4Addr, SocketAddrV6, UdpSocket};

    use nix::libc;

    use super::platform::write_source;
    use super::*;
    use crate::sys::control_messages::Control;
    use crate::sys::socket::set_int_option;

    fn received(socket: &UdpSocket) -> Destination {
        let mut buffer = [MaybeUninit::uninit(); 10];
        let (size, arrival) = receive(socket.as_fd(), &mut buffer).unwrap();
        assert_eq!(size, 1);
        arrival.destination.expect("a destination")
    }

    fn unicast(ip: impl Into<IpAddr>) -> Destination {
        Destination {
            address: (ip, 0).into(),
            is_unicast: true,
        }
    }

    #[test]
    fn only_sockets_with_several_addresses_report_destinations() {
        for (address, expected) in [
            ("0.0.0.0:0", true),
            ("[::]:0", true),
            ("[::ffff:0.0.0.0]:0", true),
            ("127.0.0.1:0", false),
            ("[::1]:0", false),
        ] {
            let socket = UdpSocket::bind(address).unwrap();
            let address = socket.local_addr().unwrap();
            assert_eq!(
                report_destinations(socket.as_fd(), &address),
                expected,
                "{address}"
            );
        }
    }

    /// A program can enable other messages, which come first, and a socket can have datagrams before the server
    /// gets it.
    #[test]
    fn other_messages_and_earlier_datagrams_do_not_hide_destinations() {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let address = socket.local_addr().unwrap();
        let port = address.port();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let hosts = [[127, 0, 0, 2], [127, 0, 0, 3]].map(Ipv4Addr::from);
        sender.send_to(b"1", (hosts[0], port)).unwrap();
        for (level, name) in [
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS),
            (libc::IPPROTO_IP, libc::IP_RECVTTL),
            (libc::IPPROTO_IP, libc::IP_RECVTOS),
        ] {
            set_int_option(socket.as_fd(), level, name, 1).unwrap();
        }
        assert!(report_destinations(socket.as_fd(), &address));
        sender.send_to(b"2", (hosts[1], port)).unwrap();
        assert_eq!(received(&socket), unicast(hosts[0]));
        assert_eq!(received(&socket), unicast(hosts[1]));
    }

    #[test]
    fn only_addresses_of_one_link_name_an_interface() {
        for (ip, scope, is_unicast) in [
            ("fe80::1", 7, true),
            ("ff02::fb", 7, false),
            ("ff15::1", 0, false),
            ("2001:db8::1", 0, true),
            ("::ffff:224.0.0.1", 0, false),
        ] {
            let from = SocketAddrV6::new(ip.parse().unwrap(), 0, 0, 7);
            let mut control = Control::new();
            let reported = destination(write_source(&mut control, &from.into())).unwrap();
            let address = SocketAddrV6::new(*from.ip(), 0, 0, scope);
            let expected = Destination {
                address: address.into(),
                is_unicast,
            };
            assert_eq!(reported, expected);
        }
    }
}
