//! Binding TCP and UDP sockets to addresses.

use std::io;
use std::net::SocketAddr;

use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use crate::error::{Error, with_advice};
use crate::sys;
use crate::sys::fd::AsFd;
use crate::transport::addresses::{FirstOf, InetAddresses};
use crate::transport::{SocketOptions, only};

/// Binds one socket; see [`bind_all`].
pub(super) fn bind<T>(
    address: impl InetAddresses,
    kind: Type,
    options: &SocketOptions,
    make: impl Fn(Socket) -> io::Result<T>,
) -> Result<T, Error> {
    bind_first(only(address.sockets())?, kind, options, &make)
}

/// Binds a socket for each address: to the first address that works, IPv4 addresses first. Python resolves host
/// names to IPv4 addresses too, so that Python clients find a server on `localhost`. The socket has the family
/// of the address.
pub(super) fn bind_all<T>(
    addresses: impl InetAddresses,
    kind: Type,
    options: &SocketOptions,
    make: impl Fn(Socket) -> io::Result<T>,
) -> Result<Vec<T>, Error> {
    let sockets = addresses.sockets();
    let options = options.for_sockets(sockets.len());
    let bind = |socket| bind_first(socket, kind, &options, &make);
    sockets.into_iter().map(bind).collect()
}

/// Binds a socket to the first of its addresses that works.
fn bind_first<T>(
    socket: FirstOf,
    kind: Type,
    options: &SocketOptions,
    make: &impl Fn(Socket) -> io::Result<T>,
) -> Result<T, Error> {
    let (text, candidates) = socket.into_parts();
    let unresolved = |source| Error::Resolve {
        address: text.clone(),
        source,
    };
    let mut errors = Vec::new();
    for candidate in candidates.map_err(unresolved)? {
        match bind_one(candidate, kind, options).and_then(make) {
            Ok(transport) => return Ok(transport),
            Err(source) => errors.push((candidate, source)),
        }
    }
    if errors.is_empty() {
        let no_address = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
        return Err(unresolved(no_address));
    }
    // Reports the first error, but rather one of an address that this machine has.
    let reported = errors.iter().position(|(_, source)| !is_elsewhere(source));
    let (candidate, source) = errors.swap_remove(reported.unwrap_or(0));
    let address = candidate.to_string();
    Err(Error::Bind { address, source })
}

fn bind_one(address: SocketAddr, kind: Type, options: &SocketOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    sys::socket::set_reuse(
        &socket,
        options.allow_reuse_address,
        options.allow_reuse_port,
    )?;
    if let (true, Some(only_v6)) = (address.is_ipv6(), options.only_v6) {
        socket.set_only_v6(only_v6)?;
    }
    options.configure_before_bind(socket.as_fd())?;
    let bound = socket.bind(&address.into());
    bound.map_err(|error| explain(error, address, kind, options))?;
    Ok(socket)
}

/// Adds a cause that depends on the options.
fn explain(
    error: io::Error,
    address: SocketAddr,
    kind: Type,
    options: &SocketOptions,
) -> io::Error {
    let is_in_use = error.kind() == io::ErrorKind::AddrInUse && address.port() != 0;
    if is_in_use && kind == Type::STREAM && !options.allow_reuse_address {
        let advice = "another socket is using it, or closed connections of an earlier server are, for \
                      up to a minute: do not set `allow_reuse_address(false)`, or bind to another port";
        return with_advice(error, advice);
    }
    error
}

/// Returns whether this machine does not have the address that could not be bound.
fn is_elsewhere(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)
    )
}
