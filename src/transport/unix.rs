//! Unix sockets.

use std::io;
use std::os::unix::net;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::address::UnixAddress;
use crate::error::Error;
use crate::request::{DatagramSocket, RequestKind, UnixDatagramRequest, UnixStreamRequest};
use crate::state::ServerHandle;
use crate::sys;
use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::socket::AcceptedTimeouts;
use crate::transport::accept::{Accept, RequestConfig};
use crate::transport::adopt::{SocketKind, adopt};
use crate::transport::socket_file::OwnFile;
use crate::transport::unix_addresses::UnixAddresses;
use crate::transport::{Bind, FromListener, SocketOptions, Transport, datagram, only, socket_file};

/// The default timeout of a reply to a Unix datagram. Where UDP drops datagrams that the receiver has no
/// buffer for, a Unix socket waits without limit.
const DATAGRAM_SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Unix stream sockets: each request is a connection. Python: `UnixStreamServer`.
///
/// The socket file stays after the server has ended, as in Python, unless
/// [`remove_on_close`](crate::ServerOptions::remove_on_close) is set. The next server can bind to a file that
/// was left only with [`replace_stale`](crate::ServerOptions::replace_stale).
///
/// See the [example](crate::UnixStreamServer).
#[derive(Debug)]
#[doc(alias = "UnixStreamServer")]
#[doc(alias = "AF_UNIX")]
pub struct UnixStream {
    /// Dropped first: see [`OwnFile`].
    _file: Option<OwnFile>,
    listener: net::UnixListener,
    address: UnixAddress,
    request_queue_size: u32,
    requests: RequestConfig,
    accepted_timeouts: AcceptedTimeouts,
}

impl UnixStream {
    fn new(
        listener: net::UnixListener,
        file: Option<OwnFile>,
        options: &SocketOptions,
    ) -> io::Result<Self> {
        let accepted_timeouts = AcceptedTimeouts::new(listener.as_fd(), &options.timeouts)?;
        listener.set_nonblocking(true)?;
        sys::accept::prepare_listener(listener.as_fd())?;
        let address = sys::unix_address::unix_address(&listener.local_addr()?);
        Ok(Self {
            _file: file.map(OwnFile::bound),
            address,
            listener,
            request_queue_size: options.request_queue_size,
            requests: RequestConfig::new(options),
            accepted_timeouts,
        })
    }
}

impl Transport for UnixStream {
    type Request = UnixStreamRequest;
    type Address = UnixAddress;

    const KIND: RequestKind = RequestKind::Connection;

    fn server_address(&self) -> &UnixAddress {
        &self.address
    }

    fn server_activate(&self) -> io::Result<()> {
        sys::socket::listen(self.as_fd(), self.request_queue_size)
    }

    fn stop_new_connections(&self) -> io::Result<()> {
        sys::unix_sockets::stop_new_unix_connections(self.as_fd())
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<UnixStreamRequest> {
        let (stream, client_address) = self.accept()?;
        Ok(self.requests.request(stream, client_address, server))
    }
}

impl Accept for UnixStream {
    type Socket = net::UnixStream;

    fn accept(&self) -> io::Result<(net::UnixStream, UnixAddress)> {
        sys::unix_sockets::accept_unix(&self.listener, self.accepted_timeouts)
    }
}

#[diagnostic::do_not_recommend]
impl<A: UnixAddresses> Bind<A> for UnixStream {
    fn server_bind(address: A, options: &SocketOptions) -> Result<Self, Error> {
        bind(
            &only(address.unix_addresses())?,
            Type::STREAM,
            options,
            Self::new,
        )
    }

    fn server_bind_all(addresses: A, options: &SocketOptions) -> Result<Vec<Self>, Error> {
        let bind = |address| bind(&address, Type::STREAM, options, Self::new);
        addresses.unix_addresses().into_iter().map(bind).collect()
    }
}

impl FromListener<net::UnixListener> for UnixStream {
    fn from_listener(listener: net::UnixListener, options: &SocketOptions) -> Result<Self, Error> {
        adopt(listener, SocketKind::UnixStream, |listener| {
            Self::new(listener, None, options)
        })
    }
}

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Unix datagram sockets: each request is a datagram. Python: `UnixDatagramServer`.
///
/// Only a client that has bound its own socket can be answered. A reply to a client that does not
/// read fails with `TimedOut` after the server's [`timeout`](crate::ServerOptions::timeout), by
/// default 1 second. (Linux counts bytes that a *connected* client has not read against the server's own
/// send buffer. A client that never reads can fill it, and then replies to all clients wait.)
///
/// See the [example](crate::UnixDatagramServer).
#[derive(Debug)]
#[doc(alias = "UnixDatagramServer")]
pub struct UnixDatagram {
    /// Dropped first: see [`OwnFile`].
    _file: Option<OwnFile>,
    /// Shared with the requests, which reply through it.
    socket: Arc<net::UnixDatagram>,
    address: UnixAddress,
    max_packet_size: usize,
}

impl UnixDatagram {
    fn new(
        socket: net::UnixDatagram,
        file: Option<OwnFile>,
        options: &SocketOptions,
    ) -> io::Result<Self> {
        socket.set_write_timeout(Some(
            options.timeouts.write.unwrap_or(DATAGRAM_SEND_TIMEOUT),
        ))?;
        let address = sys::unix_address::unix_address(&socket.local_addr()?);
        let max_packet_size = options.max_packet_size.min(SocketOptions::MAX_PACKET_SIZE);
        Ok(Self {
            _file: file.map(OwnFile::bound),
            socket: Arc::new(socket),
            address,
            max_packet_size,
        })
    }
}

impl Transport for UnixDatagram {
    type Request = UnixDatagramRequest;
    type Address = UnixAddress;

    const KIND: RequestKind = RequestKind::Datagram;

    fn default_options() -> SocketOptions {
        let max_packet_size = SocketOptions::UNIX_PACKET_SIZE;
        SocketOptions {
            max_packet_size,
            ..SocketOptions::default()
        }
    }

    fn server_address(&self) -> &UnixAddress {
        &self.address
    }

    fn stop_new_connections(&self) -> io::Result<()> {
        sys::socket::stop_new_datagrams(self.as_fd())
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<UnixDatagramRequest> {
        datagram::receive(
            &self.socket,
            self.max_packet_size,
            server,
            |socket, buffer| {
                let (size, client) = DatagramSocket::recv_from(socket, buffer)?;
                Ok((size, client, None))
            },
        )
    }
}

#[diagnostic::do_not_recommend]
impl<A: UnixAddresses> Bind<A> for UnixDatagram {
    fn server_bind(address: A, options: &SocketOptions) -> Result<Self, Error> {
        bind(
            &only(address.unix_addresses())?,
            Type::DGRAM,
            options,
            Self::new,
        )
    }

    fn server_bind_all(addresses: A, options: &SocketOptions) -> Result<Vec<Self>, Error> {
        let bind = |address| bind(&address, Type::DGRAM, options, Self::new);
        addresses.unix_addresses().into_iter().map(bind).collect()
    }
}

impl FromListener<net::UnixDatagram> for UnixDatagram {
    fn from_listener(socket: net::UnixDatagram, options: &SocketOptions) -> Result<Self, Error> {
        adopt(socket, SocketKind::UnixDatagram, |socket| {
            Self::new(socket, None, options)
        })
    }
}

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn bind<S: From<Socket>, T>(
    address: &UnixAddress,
    kind: Type,
    options: &SocketOptions,
    make: impl FnOnce(S, Option<OwnFile>, &SocketOptions) -> io::Result<T>,
) -> Result<T, Error> {
    let bound = || -> io::Result<T> {
        let socket = Socket::new(Domain::UNIX, kind, None)?;
        options.configure_before_bind(socket.as_fd())?;
        let file = socket_file::bind(socket.as_fd(), address, options)?;
        make(socket.into(), file, options)
    };
    bound().map_err(|source| Error::Bind {
        address: match address.as_path() {
            Some(path) if path.as_os_str().is_empty() => "the empty path \"\"".into(),
            _ => address.to_string(),
        },
        source,
    })
}
