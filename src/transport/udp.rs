//! UDP.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use socket2::Type;

use super::{Bind, FromListener, SocketOptions, Transport, datagram, inet};
use crate::ServerHandle;
use crate::error::Error;
use crate::request::UdpRequest;
use crate::strategy::RequestKind;
use crate::sys;

/// UDP: each request is a datagram. Python: `UDPServer`.
#[derive(Debug)]
#[doc(alias = "UDPServer")]
#[doc(alias = "SOCK_DGRAM")]
pub struct Udp {
    /// Shared with the requests, which reply through it.
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    max_packet_size: usize,
}

impl Udp {
    fn new(socket: UdpSocket, options: &SocketOptions) -> io::Result<Self> {
        sys::socket::check_timeout(options.timeout)?;
        let address = socket.local_addr()?;
        let max_packet_size = options.max_packet_size.min(SocketOptions::MAX_PACKET_SIZE);
        Ok(Self {
            socket: Arc::new(socket),
            address,
            max_packet_size,
        })
    }
}

impl Transport for Udp {
    type Request = UdpRequest;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Message;

    fn server_address(&self) -> &SocketAddr {
        &self.address
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<UdpRequest> {
        datagram::receive(&self.socket, self.max_packet_size, server)
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
