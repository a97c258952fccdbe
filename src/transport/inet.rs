//! Resolving an address, and binding a TCP or UDP socket to it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;

use socket2::{Domain, Socket, Type};

use crate::error::Error;
use crate::transport::SocketOptions;

/// Binds a socket to the first address that works, IPv4 addresses first. Python resolves host names to
/// IPv4 addresses too, so that Python clients find a server on `localhost`. The socket has the family of
/// the address.
pub(super) fn bind<T>(
    address: impl ToSocketAddrs + fmt::Debug,
    kind: Type,
    options: &SocketOptions,
    make: impl Fn(Socket) -> io::Result<T>,
) -> Result<T, Error> {
    let unresolved = |source| Error::Resolve {
        address: format!("{address:?}"),
        source,
    };
    let mut candidates: Vec<_> = address.to_socket_addrs().map_err(unresolved)?.collect();
    candidates.sort_by_key(SocketAddr::is_ipv6);
    let no_address = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
    let mut last_error = unresolved(no_address);
    for candidate in candidates {
        match bind_one(candidate, kind, options).and_then(&make) {
            Ok(transport) => return Ok(transport),
            Err(source) => {
                last_error = Error::Bind {
                    address: candidate.to_string(),
                    source,
                }
            }
        }
    }
    Err(last_error)
}

fn bind_one(address: SocketAddr, kind: Type, options: &SocketOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_reuse_address(options.allow_reuse_address)?;
    if options.allow_reuse_port {
        socket.set_reuse_port(true)?;
    }
    if let (true, Some(only_v6)) = (address.is_ipv6(), options.only_v6) {
        socket.set_only_v6(only_v6)?;
    }
    if let Some(before_bind) = &options.before_bind {
        before_bind.configure(socket.as_fd())?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}
