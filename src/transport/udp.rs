//! UDP.

use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use socket2::Type;

use crate::error::Error;
use crate::request::{LocalAddress, RequestKind, UdpRequest};
use crate::state::ServerHandle;
use crate::sys;
use crate::sys::datagram::{recv_arrival, recv_whole_inet};
use crate::sys::fd::{AsFd, impl_as_fd};
use crate::sys::pktinfo::Arrival;
use crate::sys::recv_batch::RecvBatch;
use crate::transport::addresses::InetAddresses;
use crate::transport::adopt::{SocketKind, adopt};
use crate::transport::inline_receiver::ReceiveInline;
use crate::transport::udp_batch::{BatchSizer, LeftoverDatagrams};
use crate::transport::{
    Bind, FromListener, InlineReceiver, SocketOptions, Transport, datagram, inet,
};

/// UDP: each request is a datagram. Python: `UDPServer`.
///
/// A server that is bound to all addresses of the host (`0.0.0.0`, `[::]`) replies from the address to which
/// the client has sent its datagram ([`local_address`](crate::Request::local_address)). Python's lets the system
/// choose, and a connected client does not receive a reply from another address. A datagram to a multicast
/// group or to a broadcast address is answered from an address that the system chooses. So are all datagrams
/// on systems other than Linux.
///
/// To learn the address, the server sets the options `IP_PKTINFO` and `IPV6_RECVPKTINFO` of such a socket. Each
/// datagram needs a little more processor time then. A server that is bound to one address does not.
///
/// See the [example](crate::UdpServer).
#[derive(Debug)]
#[doc(alias = "UDPServer")]
#[doc(alias = "SOCK_DGRAM")]
pub struct Udp {
    /// Shared with the requests, which reply through it.
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    max_packet_size: usize,
    /// The socket has several addresses, and reports to which one a datagram was sent.
    reports_destination: bool,
    /// Datagrams that were received and not served when the last loop ended.
    leftover: LeftoverDatagrams,
}

impl Udp {
    fn new(socket: UdpSocket, options: &SocketOptions) -> io::Result<Self> {
        options.timeouts.check()?;
        sys::udp::prepare(socket.as_fd())?;
        let address = socket.local_addr()?;
        let max_packet_size = options.max_packet_size.min(SocketOptions::MAX_PACKET_SIZE);
        let reports_destination = sys::pktinfo::report_destinations(socket.as_fd(), &address);
        Ok(Self {
            socket: Arc::new(socket),
            address,
            max_packet_size,
            reports_destination,
            leftover: LeftoverDatagrams::default(),
        })
    }

    /// The size of receive buffers: the largest size that a datagram can have, and one byte more than
    /// `max_packet_size`, so that a truncated datagram differs from one that just fits.
    fn buffer_size(&self) -> usize {
        self.max_packet_size.min(SocketOptions::UDP_PACKET_SIZE) + 1
    }

    /// Returns the client's address, and the address to which it has sent a datagram.
    #[inline]
    fn addresses(&self, arrival: Arrival) -> (SocketAddr, Option<LocalAddress<UdpSocket>>) {
        let local = arrival.destination.map(|destination| {
            let mut address = destination.address;
            address.set_port(self.address.port());
            let send_from = destination.is_unicast.then_some(send_from as _);
            LocalAddress { address, send_from }
        });
        (arrival.peer, local)
    }

    /// A request without a datagram.
    fn blank_request(&self, server: &ServerHandle) -> UdpRequest {
        UdpRequest::new(&[], false, self.address, Arc::clone(&self.socket), server)
    }
}

fn send_from(
    socket: &UdpSocket,
    data: &[u8],
    to: &SocketAddr,
    from: &SocketAddr,
) -> io::Result<usize> {
    sys::datagram::send_from_inet(socket.as_fd(), data, to, from)
}

impl Transport for Udp {
    type Request = UdpRequest;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Datagram;

    fn server_address(&self) -> &SocketAddr {
        &self.address
    }

    fn stop_new_connections(&self) -> io::Result<()> {
        sys::socket::stop_new_datagrams(self.as_fd())
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<UdpRequest> {
        if self.leftover.is_any() {
            let mut request = self.blank_request(server);
            let leftover = |packet: &mut Vec<u8>| {
                let arrival = self.leftover.take_into(packet).ok_or(())?;
                Ok::<_, ()>(self.addresses(arrival))
            };
            if request.renew(self.max_packet_size, leftover).is_ok() {
                return Ok(request);
            }
        }
        datagram::receive(
            &self.socket,
            self.max_packet_size,
            server,
            |socket, buffer| {
                let reports_destination = self.reports_destination;
                let (size, arrival) = recv_arrival(socket.as_fd(), buffer, reports_destination)?;
                let (client, local) = self.addresses(arrival);
                Ok((size, client, local))
            },
        )
    }

    fn inline_receiver<'a>(
        &'a self,
        server: &'a ServerHandle,
        is_only_loop: bool,
    ) -> InlineReceiver<'a, UdpRequest> {
        InlineReceiver::new(UdpInlineReceiver::new(self, server, is_only_loop))
    }
}

/// The receiver of a UDP server. Receives several datagrams by one system call where no other loop
/// could serve them meanwhile.
struct UdpInlineReceiver<'a> {
    udp: &'a Udp,
    server: &'a ServerHandle,
    request: UdpRequest,
    batch: RecvBatch,
    batch_sizer: BatchSizer,
}

impl<'a> UdpInlineReceiver<'a> {
    fn new(udp: &'a Udp, server: &'a ServerHandle, is_only_loop: bool) -> Self {
        let max_batch = if is_only_loop { RecvBatch::MAX_LEN } else { 1 };
        Self {
            udp,
            server,
            request: udp.blank_request(server),
            batch: RecvBatch::default(),
            batch_sizer: BatchSizer::up_to(max_batch),
        }
    }

    /// Undoes what a handler may have done to the request.
    #[inline]
    fn restore_request(&mut self) {
        if !self.request.belongs_to(&self.udp.socket, self.server) {
            // The handler has swapped it with a request of another server.
            self.request = self.udp.blank_request(self.server);
        }
        if self.request.was_socket_used() {
            // The handler may be about to receive the next datagrams from the socket itself.
            self.batch_sizer = BatchSizer::up_to(1);
        }
    }
}

impl ReceiveInline<UdpRequest> for UdpInlineReceiver<'_> {
    #[inline]
    fn next_buffered(&mut self) -> Option<&mut UdpRequest> {
        if self.batch.is_empty() && !self.udp.leftover.is_any() {
            return None;
        }
        self.restore_request();
        let (udp, batch) = (self.udp, &mut self.batch);
        let received = self.request.renew(udp.max_packet_size, |packet| {
            let arrival = batch.take_into(packet);
            let arrival = arrival.or_else(|| udp.leftover.take_into(packet));
            arrival.map(|arrival| udp.addresses(arrival)).ok_or(())
        });
        received.ok().map(|()| &mut self.request)
    }

    fn receive(&mut self, speculative: bool) -> io::Result<&mut UdpRequest> {
        self.restore_request();
        let (udp, batch) = (self.udp, &mut self.batch);
        let (socket, size) = (udp.socket.as_fd(), udp.buffer_size());
        let reports_destination = udp.reports_destination;
        let wanted = self.batch_sizer.next(speculative);
        if wanted > 1 {
            let received = batch.receive(socket, wanted, size, reports_destination)?;
            self.batch_sizer.record_received(received);
        }
        self.request.renew(udp.max_packet_size, |packet| {
            if let Some(arrival) = batch.take_into(packet) {
                return Ok(udp.addresses(arrival));
            }
            packet.reserve_exact(size);
            let arrival = recv_whole_inet(socket, packet, reports_destination)?;
            Ok::<_, io::Error>(udp.addresses(arrival))
        })?;
        Ok(&mut self.request)
    }
}

impl Drop for UdpInlineReceiver<'_> {
    /// Leaves datagrams that were received and not served to the next loop.
    fn drop(&mut self) {
        self.udp.leftover.put(mem::take(&mut self.batch));
    }
}

#[diagnostic::do_not_recommend]
impl<A: InetAddresses> Bind<A> for Udp {
    fn server_bind(address: A, options: &SocketOptions) -> Result<Self, Error> {
        inet::bind(address, Type::DGRAM, options, |socket| {
            Self::new(socket.into(), options)
        })
    }

    fn server_bind_all(addresses: A, options: &SocketOptions) -> Result<Vec<Self>, Error> {
        inet::bind_all(addresses, Type::DGRAM, options, |socket| {
            Self::new(socket.into(), options)
        })
    }
}

impl FromListener<UdpSocket> for Udp {
    fn from_listener(socket: UdpSocket, options: &SocketOptions) -> Result<Self, Error> {
        adopt(socket, SocketKind::Udp, |socket| Self::new(socket, options))
    }
}

impl_as_fd!(Udp, socket);
