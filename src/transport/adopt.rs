//! Takes over sockets that were made elsewhere.

use std::io;
use std::mem;

use rustix::io::Errno;
use socket2::{Domain, SockRef, Type};

use crate::error::{Error, GIVEN_SOCKET, with_advice};
use crate::sys;
use crate::sys::fd::{AsFd, AsRawFd, BorrowedFd};

/// Kind of socket that a transport needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketKind {
    Tcp,
    Udp,
    UnixStream,
    UnixDatagram,
}

impl SocketKind {
    /// Returns the kind of a socket; `None` for kinds without a transport.
    fn of(socket: &SockRef<'_>) -> io::Result<Option<Self>> {
        let kind = socket.r#type()?;
        let is_unix = match socket.local_addr()?.domain() {
            Domain::IPV4 | Domain::IPV6 => false,
            Domain::UNIX => true,
            _ => return Ok(None),
        };
        Ok(match (is_unix, kind) {
            (false, Type::STREAM) => Some(Self::Tcp),
            (false, Type::DGRAM) => Some(Self::Udp),
            (true, Type::STREAM) => Some(Self::UnixStream),
            (true, Type::DGRAM) => Some(Self::UnixDatagram),
            _ => None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "a TCP socket",
            Self::Udp => "a UDP socket",
            Self::UnixStream => "a Unix stream socket",
            Self::UnixDatagram => "a Unix datagram socket",
        }
    }

    /// Name of the servers that take such a socket.
    fn server(self) -> &'static str {
        match self {
            Self::Tcp => "TcpServer",
            Self::Udp => "UdpServer",
            Self::UnixStream => "UnixStreamServer",
            Self::UnixDatagram => "UnixDatagramServer",
        }
    }

    fn has_connections(self) -> bool {
        matches!(self, Self::Tcp | Self::UnixStream)
    }
}

/// Makes a transport from a socket that was made elsewhere. Programs that handlers start do not inherit
/// the socket.
pub(super) fn adopt<L: AsFd, T>(
    listener: L,
    needed: SocketKind,
    make: impl FnOnce(L) -> io::Result<T>,
) -> Result<T, Error> {
    let result = match sys::descriptor::set_close_on_exec(listener.as_fd()) {
        Ok(()) => check(listener.as_fd(), needed).and_then(|()| make(listener)),
        Err(error) => {
            let error = wrong_number(error, "open", listener.as_fd());
            // No descriptor has this number, so none is closed, not even one that gets the number now.
            mem::forget(listener);
            Err(error)
        }
    };
    result.map_err(|source| Error::Bind {
        address: GIVEN_SOCKET.into(),
        source,
    })
}

/// Adds advice to the error of a descriptor that is not what its number promises.
fn wrong_number(error: io::Error, state: &str, descriptor: BorrowedFd<'_>) -> io::Error {
    let number = descriptor.as_raw_fd();
    let advice = format!(
        "descriptor {number} is not {state}: pass the number of the socket; systemd passes sockets from \
         descriptor 3 on, and their number as LISTEN_FDS"
    );
    with_advice(error, advice)
}

/// Checks the kind of a socket, because programs are passed descriptors by their numbers.
fn check(descriptor: BorrowedFd<'_>, needed: SocketKind) -> io::Result<()> {
    let number = descriptor.as_raw_fd();
    let socket = SockRef::from(&descriptor);
    let kind = SocketKind::of(&socket).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOTSOCK) => wrong_number(error, "a socket", descriptor),
        _ => error,
    })?;
    let wrong = |problem: &'static str, advice: String| {
        let error = io::Error::new(io::ErrorKind::InvalidInput, problem);
        Err(with_advice(error, advice))
    };
    match kind {
        Some(kind) if kind == needed => {}
        Some(kind) => {
            let (is, server, needed) = (kind.name(), kind.server(), needed.name());
            let advice = format!(
                "descriptor {number} is {is}: pass {needed}, or make a server such as `{server}` of it"
            );
            return wrong("the socket has the wrong kind", advice);
        }
        None => {
            let needed = needed.name();
            let advice = format!("descriptor {number} is a socket of another kind: pass {needed}");
            return wrong("the socket has the wrong kind", advice);
        }
    }
    if needed.has_connections() && socket.peer_addr().is_ok() {
        let advice = format!(
            "descriptor {number} is a connection: pass the socket that listens, from systemd by \
             `Accept=no`"
        );
        return wrong("the socket is connected", advice);
    }
    Ok(())
}
