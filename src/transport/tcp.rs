//! TCP.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::{SockRef, Type};

use crate::error::Error;
use crate::request::{RequestKind, TcpRequest};
use crate::state::ServerHandle;
use crate::sys;
use crate::sys::fd::{AsFd, impl_as_fd};
use crate::sys::socket::AcceptedTimeouts;
use crate::transport::accept::{Accept, RequestConfig};
use crate::transport::addresses::InetAddresses;
use crate::transport::adopt::{SocketKind, adopt};
use crate::transport::{Bind, FromListener, SocketOptions, Transport, inet};

/// TCP: each request is a connection. Python: `TCPServer`.
///
/// See the [example](crate::TcpServer).
#[derive(Debug)]
#[doc(alias = "TCPServer")]
pub struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
    request_queue_size: u32,
    requests: RequestConfig,
    accepted_timeouts: AcceptedTimeouts,
}

impl Tcp {
    fn new(listener: TcpListener, options: &SocketOptions) -> io::Result<Self> {
        let accepted_timeouts = AcceptedTimeouts::new(listener.as_fd(), &options.timeouts)?;
        // Keeps `accept` from blocking: a client may have left after `poll` has reported it.
        listener.set_nonblocking(true)?;
        sys::accept::prepare_listener(listener.as_fd())?;
        // Accepted connections inherit this option without a system call for each.
        SockRef::from(&listener).set_tcp_nodelay(options.disable_nagle_algorithm)?;
        if let Some(time) = options.defer_accept {
            sys::socket::set_defer_accept(listener.as_fd(), time)?;
        }
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            request_queue_size: options.request_queue_size,
            requests: RequestConfig::new(options),
            accepted_timeouts,
        })
    }
}

impl Transport for Tcp {
    type Request = TcpRequest;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Connection;

    fn default_options() -> SocketOptions {
        SocketOptions {
            allow_reuse_address: true,
            ..SocketOptions::default()
        }
    }

    fn server_address(&self) -> &SocketAddr {
        &self.address
    }

    fn server_activate(&self) -> io::Result<()> {
        sys::socket::listen(self.as_fd(), self.request_queue_size)
    }

    fn stop_new_connections(&self) -> io::Result<()> {
        sys::socket::stop_new_connections(self.as_fd())
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<TcpRequest> {
        let (stream, client_address) = self.accept()?;
        Ok(self.requests.request(stream, client_address, server))
    }
}

impl Accept for Tcp {
    type Socket = TcpStream;

    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        sys::accept::accept_tcp(&self.listener, self.accepted_timeouts)
    }
}

#[diagnostic::do_not_recommend]
impl<A: InetAddresses> Bind<A> for Tcp {
    fn server_bind(address: A, options: &SocketOptions) -> Result<Self, Error> {
        inet::bind(address, Type::STREAM, options, |socket| {
            Self::new(socket.into(), options)
        })
    }

    fn server_bind_all(addresses: A, options: &SocketOptions) -> Result<Vec<Self>, Error> {
        inet::bind_all(addresses, Type::STREAM, options, |socket| {
            Self::new(socket.into(), options)
        })
    }
}

impl FromListener<TcpListener> for Tcp {
    fn from_listener(listener: TcpListener, options: &SocketOptions) -> Result<Self, Error> {
        adopt(listener, SocketKind::Tcp, |listener| {
            Self::new(listener, options)
        })
    }
}

impl_as_fd!(Tcp, listener);
