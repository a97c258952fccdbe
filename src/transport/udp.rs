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
    /// What was taken in and not served when the last loop ended.
    pub(super) kept: LeftoverDatagrams,
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
            kept: LeftoverDatagrams::default(),
        })
    }

    /// What a datagram needs: no more than it can have, and one byte more than is wanted, so that one
    /// that is cut can be told from one that just fits.
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
        if self.kept.is_any() {
            let mut request = self.blank_request(server);
            let kept = |packet: &mut Vec<u8>| self.kept.take_into(packet).ok_or(());
            if request.renew(self.max_packet_size, kept).is_ok() {
                return Ok(request);
            }
        }
        datagram::receive(&self.socket, self.max_packet_size, server)
    }

    fn inline_receiver<'a>(
        &'a self,
        server: &'a ServerHandle,
        alone: bool,
    ) -> Option<Box<dyn InlineReceiver<UdpRequest> + 'a>> {
        Some(Box::new(UdpInlineReceiver::new(self, server, alone)))
    }

    fn is_request_kept(&self) -> bool {
        self.kept.is_any()
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
