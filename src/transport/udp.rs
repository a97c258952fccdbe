//! UDP.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use socket2::Type;

use crate::error::Error;
use crate::request::{RequestKind, UdpRequest};
use crate::state::ServerHandle;
use crate::sys;
use crate::transport::inline_receiver::{LeftoverDatagrams, UdpInlineReceiver};
use crate::transport::{
    Bind, FromListener, InlineReceiver, SocketOptions, Transport, datagram, inet,
};

/// UDP: each request is a datagram. Python: `UDPServer`.
#[derive(Debug)]
#[doc(alias = "UDPServer")]
#[doc(alias = "SOCK_DGRAM")]
pub struct Udp {
    /// Shared with the requests, which reply through it.
    pub(super) socket: Arc<UdpSocket>,
    address: SocketAddr,
    pub(super) max_packet_size: usize,
    /// Datagrams that were received and not served when the last loop ended.
    pub(super) leftover: LeftoverDatagrams,
}

impl Udp {
    fn new(socket: UdpSocket, options: &SocketOptions) -> io::Result<Self> {
        options.timeouts.check()?;
        let address = socket.local_addr()?;
        let max_packet_size = options.max_packet_size.min(SocketOptions::MAX_PACKET_SIZE);
        Ok(Self {
            socket: Arc::new(socket),
            address,
            max_packet_size,
            leftover: LeftoverDatagrams::default(),
        })
    }

    /// The size of receive buffers: the largest size that a datagram can have, and one byte more than
    /// `max_packet_size`, so that a truncated datagram differs from one that just fits.
    pub(super) fn buffer_size(&self) -> usize {
        self.max_packet_size.min(SocketOptions::UDP_PACKET_SIZE) + 1
    }

    /// A request without a datagram.
    pub(super) fn blank_request(&self, server: &ServerHandle) -> UdpRequest {
        UdpRequest::new(&[], false, self.address, Arc::clone(&self.socket), server)
    }
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
            let leftover = |packet: &mut Vec<u8>| self.leftover.take_into(packet).ok_or(());
            if request.renew(self.max_packet_size, leftover).is_ok() {
                return Ok(request);
            }
        }
        datagram::receive(&self.socket, self.max_packet_size, server)
    }

    fn inline_receiver<'a>(
        &'a self,
        server: &'a ServerHandle,
        is_only_loop: bool,
    ) -> InlineReceiver<'a, UdpRequest> {
        InlineReceiver::new(UdpInlineReceiver::new(self, server, is_only_loop))
    }
}

#[diagnostic::do_not_recommend]
impl<A: ToSocketAddrs + fmt::Debug> Bind<A> for Udp {
    fn server_bind(address: A, options: &SocketOptions) -> Result<Self, Error> {
        inet::bind(address, Type::DGRAM, options, |socket| {
            Self::new(socket.into(), options)
        })
    }
}

impl FromListener<UdpSocket> for Udp {
    fn from_listener(socket: UdpSocket, options: &SocketOptions) -> Result<Self, Error> {
        Self::new(socket, options).map_err(|source| Error::Bind {
            address: "the given socket".into(),
            source,
        })
    }
}

impl AsFd for Udp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
