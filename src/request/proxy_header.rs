//! Header of a proxy, with the address of its client (PROXY protocol, versions 1 and 2).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::address::SocketAddress;
use crate::handshake_error::{disconnected, proxy_header};
use crate::sys::fd::BorrowedFd;
use crate::sys::transfer;

const V1_SIGNATURE: &[u8] = b"PROXY ";
pub(super) const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Size in bytes of the longest header of version 1.
const V1_MAX: usize = 107;
/// Size in bytes of the part of a header of version 2 that has the length of the rest.
const V2_FIXED: usize = 16;
/// Offset of the version and command, and of the address family, in a header of version 2.
const V2_COMMAND: usize = 12;
const V2_FAMILY: usize = 13;
/// Command of connections that the proxy has made for itself.
const V2_LOCAL: u8 = 0x20;
/// Number of bytes that are looked at in one step.
const STEP: usize = 512;

/// Contents of the header of a proxy: [`ConnectionInfo::proxy`](crate::request::ConnectionInfo::proxy). Cheap to
/// clone.
///
/// See the [example](crate::transport::ProxyProtocol).
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyInfo(Arc<Header>);

#[derive(Debug, PartialEq, Eq)]
struct Header {
    proxy: SocketAddress,
    version: u8,
    is_local: bool,
    addresses: Option<(SocketAddr, SocketAddr)>,
    fields: Vec<(u8, Vec<u8>)>,
}

impl ProxyInfo {
    /// The address of the proxy, from which the connection has come.
    ///
    /// See the [example](crate::transport::ProxyProtocol).
    pub fn proxy_address(&self) -> &SocketAddress {
        &self.0.proxy
    }

    /// The version of the header: 1 (text) or 2 (binary).
    ///
    /// See the [example](crate::transport::ProxyProtocol).
    pub fn version(&self) -> u8 {
        self.0.version
    }

    /// Whether the proxy has connected for itself, for example to check that the server runs: the command `LOCAL` of
    /// version 2. Version 1 has no such command.
    ///
    /// See the [example](crate::transport::ProxyProtocol).
    pub fn is_local(&self) -> bool {
        self.0.is_local
    }

    /// The address of the proxy's client. `None` if the proxy has connected for [itself](Self::is_local), if it does
    /// not name its client (`UNKNOWN`), and if its client has come over a Unix socket.
    ///
    /// See the [example](crate::transport::ProxyProtocol).
    pub fn client_address(&self) -> Option<SocketAddr> {
        self.0.addresses.map(|(client, _)| client)
    }

    /// The address of the proxy to which its client has connected.
    ///
    /// See the [example](crate::transport::ProxyProtocol).
    pub fn destination(&self) -> Option<SocketAddr> {
        self.0.addresses.map(|(_, destination)| destination)
    }

    /// The fields of a header of version 2 (TLVs): type and value, in their order. For example, type 0x02 is the
    /// host name that the client asked for, and type 0x05 a number of the connection. Empty if the header has no
    /// addresses of an internet protocol.
    ///
    /// See the [example](crate::transport::ProxyProtocol).
    #[doc(alias = "TLV")]
    pub fn fields(&self) -> &[(u8, Vec<u8>)] {
        &self.0.fields
    }

    /// The value of the first field of a type.
    ///
    /// See the [example](crate::transport::ProxyProtocol).
    pub fn field(&self, kind: u8) -> Option<&[u8]> {
        let found = self.0.fields.iter().find(|(each, _)| *each == kind);
        found.map(|(_, value)| &**value)
    }
}

impl fmt::Debug for ProxyInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads the header of a connection, and nothing that follows it.
pub(super) struct ProxyHeaderReader {
    is_required: bool,
    /// A part of the header.
    received: Vec<u8>,
}

/// Progress of a [`ProxyHeaderReader`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ProxyHeader {
    Complete(ProxyInfo),
    /// The client has to send more.
    Incomplete,
    /// The connection begins without a header, with these bytes.
    Absent(Vec<u8>),
}

/// Extent of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// At least so many bytes belong to it.
    AtLeast(usize),
    /// It has this size.
    Exactly(usize),
    NoHeader,
    TooLong,
}

impl ProxyHeaderReader {
    pub(super) fn new(is_required: bool) -> Self {
        Self {
            is_required,
            received: Vec::new(),
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        !self.received.is_empty()
    }

    /// Returns whether nothing has arrived, and need not be a header.
    pub(super) fn may_be_absent(&self) -> bool {
        !self.is_required && !self.has_begun()
    }

    /// Reads what is available.
    pub(super) fn advance(
        &mut self,
        socket: BorrowedFd<'_>,
        proxy: impl Fn() -> SocketAddress,
    ) -> io::Result<ProxyHeader> {
        loop {
            let mut buffer = [0; STEP];
            let available = match transfer::peek(socket, &mut buffer) {
                Ok(0) => return self.end(),
                Ok(size) => &buffer[..size],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(ProxyHeader::Incomplete);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let known = self.received.len();
            self.received.extend_from_slice(available);
            let extent = extent(&self.received);
            let size = match extent {
                Extent::AtLeast(size) | Extent::Exactly(size) => size.min(self.received.len()),
                Extent::NoHeader => {
                    self.received.truncate(known);
                    return self.none();
                }
                Extent::TooLong => return Err(proxy_header("the header of the proxy is too long")),
            };
            self.received.truncate(size);
            // These bytes are available, so that one call receives all of them.
            transfer::recv(socket, &mut buffer[..size - known], false)?;
            if extent == Extent::Exactly(self.received.len()) {
                return parse(&self.received, proxy()).map(ProxyHeader::Complete);
            }
        }
    }

    /// The connection does not begin with a header.
    fn none(&mut self) -> io::Result<ProxyHeader> {
        if self.is_required {
            let message = "the connection does not begin with the header of a proxy";
            return Err(proxy_header(message));
        }
        Ok(ProxyHeader::Absent(std::mem::take(&mut self.received)))
    }

    /// The client has ended its side.
    fn end(&mut self) -> io::Result<ProxyHeader> {
        match (self.received.is_empty(), self.is_required) {
            (_, false) => Ok(ProxyHeader::Absent(std::mem::take(&mut self.received))),
            (true, true) => Err(disconnected()),
            (false, true) => Err(proxy_header("the header of the proxy is incomplete")),
        }
    }
}

fn extent(start: &[u8]) -> Extent {
    let begins = |signature: &[u8]| {
        let size = start.len().min(signature.len());
        start[..size] == signature[..size]
    };
    if begins(V2_SIGNATURE) {
        let Some(fixed) = start.get(..V2_FIXED) else {
            return Extent::AtLeast(V2_FIXED);
        };
        let rest = u16::from_be_bytes([fixed[V2_FIXED - 2], fixed[V2_FIXED - 1]]);
        return Extent::Exactly(V2_FIXED + usize::from(rest));
    }
    if begins(V1_SIGNATURE) {
        let line = &start[..start.len().min(V1_MAX)];
        return match line.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => Extent::Exactly(end + 2),
            None if start.len() >= V1_MAX => Extent::TooLong,
            None => Extent::AtLeast(start.len()),
        };
    }
    Extent::NoHeader
}

/// Parses a header of known extent.
fn parse(header: &[u8], proxy: SocketAddress) -> io::Result<ProxyInfo> {
    let parsed = match header.starts_with(V2_SIGNATURE) {
        true => parse_v2(header, proxy),
        false => parse_v1(header, proxy),
    };
    let parsed = parsed.ok_or_else(|| proxy_header("the header of the proxy is malformed"))?;
    Ok(ProxyInfo(Arc::new(parsed)))
}

/// The addresses of the client and of the proxy, as a header has them.
fn ends(
    client: impl Into<SocketAddr>,
    destination: impl Into<SocketAddr>,
) -> Option<(SocketAddr, SocketAddr)> {
    Some((client.into(), destination.into()))
}

fn parse_v1(header: &[u8], proxy: SocketAddress) -> Option<Header> {
    use ppp::v1::Addresses;
    let parsed = ppp::v1::Header::try_from(header).ok()?;
    let addresses = match parsed.addresses {
        Addresses::Unknown => None,
        // The parser takes a port with a sign, which the protocol does not have.
        _ if header.contains(&b'+') => return None,
        Addresses::Tcp4(pair) => ends(
            (pair.source_address, pair.source_port),
            (pair.destination_address, pair.destination_port),
        ),
        Addresses::Tcp6(pair) => ends(
            (pair.source_address, pair.source_port),
            (pair.destination_address, pair.destination_port),
        ),
    };
    Some(Header {
        proxy,
        version: 1,
        is_local: false,
        addresses,
        fields: Vec::new(),
    })
}

fn parse_v2(header: &[u8], proxy: SocketAddress) -> Option<Header> {
    use ppp::v2::{Addresses, Command, Protocol};
    let mut header = header.to_vec();
    if header[V2_COMMAND] == V2_LOCAL {
        // The addresses of such a header have no meaning, and may be missing.
        header[V2_FAMILY] = 0;
    }
    let parsed = ppp::v2::Header::try_from(&*header).ok()?;
    let is_datagram = parsed.protocol == Protocol::Datagram;
    let addresses = match parsed.addresses {
        _ if parsed.command == Command::Local => None,
        _ if is_datagram => return None,
        Addresses::Unspecified | Addresses::Unix(_) => None,
        Addresses::IPv4(pair) => ends(
            (pair.source_address, pair.source_port),
            (pair.destination_address, pair.destination_port),
        ),
        Addresses::IPv6(pair) => ends(
            (pair.source_address, pair.source_port),
            (pair.destination_address, pair.destination_port),
        ),
    };
    let mut fields = Vec::new();
    for field in parsed.tlvs() {
        let field = field.ok()?;
        fields.push((field.kind, field.value.into_owned()));
    }
    Some(Header {
        proxy,
        version: 2,
        is_local: parsed.command == Command::Local,
        addresses,
        fields,
    })
}

#[cfg(test)]
#[path = "proxy_header/tests.rs"]
mod tests;
