//! Binding and connecting, for every transport.

use super::*;

/// A transport whose servers tests can bind, and to which they can connect clients.
pub(crate) trait Reachable: Transport {
    /// Binds a server to a new address.
    fn bind<S, M>(
        dir: &TempDir,
        options: ServerOptions<Self, S, M>,
        service: S,
    ) -> Result<Server<Self, S, M>, Error>
    where
        S: Service<Self::Request>,
        M: Strategy + Default;

    /// Connects a client. A datagram client is bound, so that the server can answer it.
    fn try_connect(address: &Self::Address) -> io::Result<Client>;

    #[track_caller]
    fn connect(address: &Self::Address) -> Client {
        Self::try_connect(address).unwrap()
    }

    /// Returns the address to which a socket is bound, as Python's `getsockname()` does.
    fn getsockname(socket: BorrowedFd<'_>) -> Self::Address;
}

macro_rules! reachable_inet {
    ($transport:ty, $address:expr, $connect:expr) => {
        impl Reachable for $transport {
            fn bind<S, M>(
                _: &TempDir,
                options: ServerOptions<Self, S, M>,
                service: S,
            ) -> Result<Server<Self, S, M>, Error>
            where
                S: Service<Self::Request>,
                M: Strategy + Default,
            {
                options.bind($address, service)
            }

            fn try_connect(address: &SocketAddr) -> io::Result<Client> {
                $connect(*address).map(Client::new)
            }

            fn getsockname(socket: BorrowedFd<'_>) -> SocketAddr {
                let name = SockRef::from(&socket).local_addr().unwrap();
                name.as_socket().unwrap()
            }
        }
    };
}

#[cfg(unix)]
macro_rules! reachable_unix {
    ($transport:ty, $connect:expr) => {
        impl Reachable for $transport {
            fn bind<S, M>(
                dir: &TempDir,
                options: ServerOptions<Self, S, M>,
                service: S,
            ) -> Result<Server<Self, S, M>, Error>
            where
                S: Service<Self::Request>,
                M: Strategy + Default,
            {
                options.bind(dir.socket(), service)
            }

            fn try_connect(address: &UnixAddress) -> io::Result<Client> {
                $connect(address).map(Client::new)
            }

            fn getsockname(socket: BorrowedFd<'_>) -> UnixAddress {
                let name = SockRef::from(&socket).local_addr().unwrap();
                UnixAddress::Path(name.as_pathname().unwrap().into())
            }
        }
    };
}

reachable_inet!(Tcp, LOOPBACK, TcpStream::connect::<SocketAddr>);
reachable_inet!(Udp, own_loopback(), |server| {
    let socket = UdpSocket::bind(LOOPBACK)?;
    socket.connect::<SocketAddr>(server)?;
    io::Result::Ok(socket)
});
#[cfg(unix)]
reachable_unix!(UnixStream, |server| {
    std::os::unix::net::UnixStream::connect_addr(&unix_name(server))
});
#[cfg(unix)]
reachable_unix!(UnixDatagram, |server: &UnixAddress| {
    // The client needs an address for the answer: next to the server's, or in the abstract namespace.
    let socket = match server.as_path() {
        Some(path) => UnixDatagramSocket::bind(path.with_extension(unique().to_string()))?,
        #[cfg(target_os = "linux")]
        None => UnixDatagramSocket::bind_addr(&abstract_name(&unique_name()))?,
        #[cfg(not(target_os = "linux"))]
        None => panic!("this system has no abstract names"),
    };
    socket.connect_addr(&unix_name(server))?;
    io::Result::Ok(socket)
});

/// Implements `AsFd` by a field; on Windows `AsSocket`, of which rustix's `AsFd` follows there.
macro_rules! impl_as_fd {
    ($type:ty, $field:tt) => {
        #[cfg(unix)]
        impl rustix::fd::AsFd for $type {
            fn as_fd(&self) -> rustix::fd::BorrowedFd<'_> {
                self.$field.as_fd()
            }
        }

        #[cfg(windows)]
        impl rustix::fd::AsSocket for $type {
            fn as_socket(&self) -> rustix::fd::BorrowedFd<'_> {
                self.$field.as_socket()
            }
        }
    };
}

pub(crate) use impl_as_fd;

/// Returns a name in the abstract namespace that no other test or process uses.
pub(crate) fn unique_name() -> String {
    format!("socketserver-{}-{}", std::process::id(), unique())
}

#[cfg(target_os = "linux")]
pub(crate) fn abstract_name(name: &str) -> StdUnixAddr {
    StdUnixAddr::from_abstract_name(name).unwrap()
}

/// Returns an abstract name where the system has them, otherwise a path.
#[cfg(unix)]
pub(crate) fn name_or_path(dir: &TempDir) -> UnixAddress {
    match cfg!(target_os = "linux") {
        true => UnixAddress::Abstract(unique_name().into_bytes()),
        false => UnixAddress::Path(dir.socket()),
    }
}

#[cfg(unix)]
fn unix_name(address: &UnixAddress) -> StdUnixAddr {
    match address {
        UnixAddress::Path(path) => StdUnixAddr::from_pathname(path).unwrap(),
        #[cfg(target_os = "linux")]
        UnixAddress::Abstract(name) => StdUnixAddr::from_abstract_name(name).unwrap(),
        #[cfg(not(target_os = "linux"))]
        UnixAddress::Abstract(_) => panic!("this system has no abstract names"),
        UnixAddress::Unnamed => panic!("clients cannot connect to an unnamed socket"),
    }
}

/// A transport with connections.
pub(crate) trait Connected: Reachable<Request = StreamRequest<Self::Socket>> {
    type Socket: StreamSocket + AsSystemSocket;
}

impl Connected for Tcp {
    type Socket = TcpStream;
}

#[cfg(unix)]
impl Connected for UnixStream {
    type Socket = std::os::unix::net::UnixStream;
}
