//! Transports that accept connections as sockets, below the requests.

use std::io;

use crate::request::StreamSocket;
use crate::transport::{Stream, Transport};

/// A transport of connections that another one can wrap. Seals the parameter of `Tls`.
pub trait Accept: Stream {
    /// The type of the sockets.
    type Socket: StreamSocket<Address = <Self as Transport>::Address>;

    /// Accepts one waiting connection. Returns its socket and the address of its client.
    fn accept(&self) -> io::Result<(Self::Socket, Self::Address)>;
}
