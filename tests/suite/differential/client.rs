//! Clients of a script.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use socketserver::Address as _;

use crate::support::net::{self, Client};

/// Time for which a client waits when it expects to receive nothing.
const SILENCE: Duration = Duration::from_millis(100);

/// Kind and address of a server, which prints them as `KIND ADDRESS`.
#[derive(Debug)]
pub(crate) struct Endpoint {
    kind: Type,
    address: SockAddr,
    text: String,
}

impl Endpoint {
    pub(crate) fn parse(announced: &str) -> Option<Self> {
        let (kind, text) = announced.split_once(' ')?;
        let inet = || Some(SockAddr::from(text.parse::<SocketAddr>().ok()?));
        let unix = || SockAddr::unix(text).ok();
        let (kind, address) = match kind {
            "tcp" => (Type::STREAM, inet()?),
            "udp" => (Type::DGRAM, inet()?),
            "unix" => (Type::STREAM, unix()?),
            "unixgram" => (Type::DGRAM, unix()?),
            _ => return None,
        };
        let text = text.to_owned();
        Some(Self {
            kind,
            address,
            text,
        })
    }

    /// Returns the address as text, and as Python shows it.
    pub(crate) fn names(&self) -> [String; 2] {
        let inet = self.address.as_socket();
        let shown = inet.map_or_else(|| self.text.clone(), |inet| inet.to_python());
        [self.text.clone(), shown]
    }

    /// Connects a client. Binds it to `path` if a reply needs an address, or if `naming` is "named".
    pub(crate) fn connect(&self, naming: &str, path: &Path) -> io::Result<Client> {
        let domain = Domain::from(i32::from(self.address.family()));
        let socket = Socket::new(domain, self.kind, None)?;
        match (naming, domain, self.kind) {
            ("", Domain::UNIX, Type::DGRAM) | ("named", Domain::UNIX, _) => {
                socket.bind(&SockAddr::unix(path)?)?;
            }
            ("" | "unnamed", ..) => {}
            _ => panic!("connect {naming}: named, unnamed or nothing"),
        }
        match self.kind {
            // On loopback, a connect waits only if the backlog is full.
            Type::STREAM if domain != Domain::UNIX => {
                socket.connect_timeout(&self.address, net::PATIENCE)?;
            }
            _ => socket.connect(&self.address)?,
        }
        Ok(Client::new(socket))
    }
}

/// Returns the address of a client as text, and as Python shows it.
pub(crate) fn address_of(client: &Client) -> Option<[String; 2]> {
    let address = client.socket().local_addr().ok()?;
    let path: Option<PathBuf> = address.as_pathname().map(Into::into);
    match (address.as_socket(), path) {
        (Some(inet), _) => Some([inet.to_string(), inet.to_python()]),
        (None, Some(path)) => {
            let path = path.display().to_string();
            Some([path.clone(), path])
        }
        (None, None) => None,
    }
}

/// Reads a line, or less if the stream ends earlier. Reads byte by byte, because what follows the line
/// belongs to later steps.
pub(crate) fn line(client: &Client) -> io::Result<Vec<u8>> {
    read_until(client, |line| line.ends_with(b"\n"))
}

/// Reads `size` bytes, or less if the stream ends earlier.
pub(crate) fn recv(client: &Client, size: usize) -> io::Result<Vec<u8>> {
    read_until(client, |data| data.len() == size)
}

fn read_until(client: &Client, complete: impl Fn(&[u8]) -> bool) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    let mut byte = [0];
    while !complete(&data) && io::Read::read(&mut &*client.socket(), &mut byte)? > 0 {
        data.extend(byte);
    }
    Ok(data)
}

/// Reads to the end. Returns the data, and the error if the connection did not end in order.
pub(crate) fn rest(client: &Client) -> (Vec<u8>, io::Result<()>) {
    let mut data = Vec::new();
    loop {
        match client.try_receive() {
            Ok(more) if more.is_empty() => return (data, Ok(())),
            Ok(more) => data.extend(more),
            Err(error) => return (data, Err(error)),
        }
    }
}

/// Waits for data for a short time. Returns `None` if nothing was received.
pub(crate) fn receive_briefly(client: &Client) -> io::Result<Option<Vec<u8>>> {
    client.socket().set_read_timeout(Some(SILENCE))?;
    let received = client.try_receive();
    client.socket().set_read_timeout(Some(net::PATIENCE))?;
    match received {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        received => received.map(Some),
    }
}
