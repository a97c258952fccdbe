//! A SOCKS5 relay (RFC 1928): it connects clients to the servers that they name, and copies bytes in both directions.
//!
//! Start the relay in one terminal, and a server to reach in another:
//!
//! ```text
//! $ cargo run --example socks5_relay
//! listening on 127.0.0.1:1080
//! $ cargo run --example file_server localhost:8080 examples
//! listening on 127.0.0.1:8080
//! ```
//!
//! Fetch a file through the relay. With the second command, the relay resolves the name:
//!
//! ```text
//! $ curl --socks5 localhost:1080 http://127.0.0.1:8080/README.md
//! $ curl --socks5-hostname localhost:1080 http://localhost:8080/README.md
//! ```
//!
//! The relay has no passwords, so it connects to loopback addresses only. Arguments after its own address replace
//! them: `socks5_relay localhost:1080 192.0.2.7 192.0.2.8` connects to these two. Ctrl-C stops it.

mod common;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{address, serve_until_ctrl_c};
use socketserver::prelude::*;

/// Time for a connection to a target, and for each message of a client before it is connected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time after which a connection ends that carries no byte in either direction.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;

/// Answers of the relay to a request.
const CONNECTED: u8 = 0;
const GENERAL_FAILURE: u8 = 1;
const NOT_ALLOWED: u8 = 2;
const NETWORK_UNREACHABLE: u8 = 3;
const HOST_UNREACHABLE: u8 = 4;
const CONNECTION_REFUSED: u8 = 5;
const COMMAND_NOT_SUPPORTED: u8 = 7;
const ADDRESS_TYPE_NOT_SUPPORTED: u8 = 8;

/// The addresses that clients may reach: these, or the loopback addresses if there are none.
#[derive(Default)]
pub(crate) struct Relay(pub(crate) Vec<IpAddr>);

impl Relay {
    fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.contains(&ip) || self.0.is_empty() && ip.is_loopback()
    }

    /// Connects to the first address that can be reached, or returns why there is none. Checks the addresses, not the
    /// name, because any name can have any address.
    fn connect(&self, found: &[SocketAddr]) -> std::result::Result<TcpStream, u8> {
        let mut failure = HOST_UNREACHABLE;
        for address in found {
            if !self.allows(address.ip()) {
                failure = NOT_ALLOWED;
                continue;
            }
            match TcpStream::connect_timeout(address, CONNECT_TIMEOUT).map_err(|error| error.kind())
            {
                Ok(target) => return Ok(target),
                Err(ErrorKind::ConnectionRefused) => failure = CONNECTION_REFUSED,
                Err(ErrorKind::NetworkUnreachable) => failure = NETWORK_UNREACHABLE,
                Err(ErrorKind::HostUnreachable | ErrorKind::TimedOut) => failure = HOST_UNREACHABLE,
                Err(_) => failure = GENERAL_FAILURE,
            }
        }
        Err(failure)
    }

    /// Reads what the client asks for, connects to it, and answers. `None` if there is no connection.
    fn negotiate(&self, request: &mut TcpRequest) -> io::Result<Option<TcpStream>> {
        let [version, methods] = request.read_bytes()?;
        let is_socks5 = version == VERSION;
        if !is_socks5
            || !request
                .read_exactly(methods.into())?
                .contains(&NO_AUTHENTICATION)
        {
            request.send_all([VERSION, NO_ACCEPTABLE_METHOD])?;
            return Ok(None);
        }
        request.send_all([VERSION, NO_AUTHENTICATION])?;
        let [_, command, _, address_type] = request.read_bytes()?;
        let target = match (command, address_type) {
            (CONNECT, 1 | 3 | 4) => self.connect(&read_target(request, address_type)?),
            (CONNECT, _) => Err(ADDRESS_TYPE_NOT_SUPPORTED),
            _ => Err(COMMAND_NOT_SUPPORTED),
        };
        let answer = target
            .as_ref()
            .map_or_else(|&failure| failure, |_| CONNECTED);
        // After the answer comes the relay's own address, for which no client of CONNECT has a use.
        request.send_all([VERSION, answer, 0, 1, 0, 0, 0, 0, 0, 0])?;
        Ok(target.ok())
    }
}

/// Reads an address, or a name, and returns its addresses.
fn read_target(request: &mut TcpRequest, address_type: u8) -> io::Result<Vec<SocketAddr>> {
    let host = match address_type {
        1 => Ipv4Addr::from(request.read_bytes()?).to_string(),
        4 => Ipv6Addr::from(request.read_bytes()?).to_string(),
        _ => {
            let [length] = request.read_bytes()?;
            String::from_utf8_lossy(&request.read_exactly(length.into())?).into()
        }
    };
    let port = u16::from_be_bytes(request.read_bytes()?);
    Ok((host, port)
        .to_socket_addrs()
        .map_or(Vec::new(), Iterator::collect))
}

/// Copies one direction to its end. A direction may be silent for as long as the other one is not.
fn copy(mut from: impl Read, mut to: impl Write, active: &Mutex<Instant>) -> io::Result<()> {
    let active = || active.lock().unwrap_or_else(PoisonError::into_inner);
    let mut data = [0; 16 * 1024];
    loop {
        match from.read(&mut data) {
            Ok(0) => return Ok(()),
            Ok(size) => {
                to.write_all(&data[..size])?;
                *active() = Instant::now();
            }
            Err(error) => match error.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock
                    if active().elapsed() < IDLE_TIMEOUT => {}
                _ => return Err(error),
            },
        }
    }
}

/// Copies both directions until both have ended, or one has failed.
fn copy_both(request: &mut TcpRequest, target: &TcpStream) -> io::Result<()> {
    request.set_timeout(IDLE_TIMEOUT)?;
    target.set_read_timeout(Some(IDLE_TIMEOUT))?;
    target.set_write_timeout(Some(IDLE_TIMEOUT))?;
    let (client, sender) = (request.socket().try_clone()?, request.sender());
    let (reader, writer) = request.split();
    let active = Mutex::new(Instant::now());
    // The end of one direction is passed on, and the other one goes on. After an error, neither does.
    let pass_on = |copied: io::Result<()>, to: &TcpStream| {
        let _ = to.shutdown(Shutdown::Write);
        if copied.is_err() {
            let _ = target.shutdown(Shutdown::Both);
            sender.close();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| pass_on(copy(reader, target, &active), target));
        pass_on(copy(target, writer, &active), &client);
    });
    Ok(())
}

/// Serves one client. The relay is the state that all clients share.
pub(crate) fn serve(relay: &Relay, request: &mut TcpRequest) -> Result {
    let Some(target) = relay.negotiate(request)? else {
        return Ok(());
    };
    let client = *request.client_address();
    let Ok(server) = target.peer_addr() else {
        return Ok(()); // the target has reset the connection already
    };
    let _ = writeln!(io::stdout(), "{client} is connected to {server}");
    copy_both(request, &target)?;
    let _ = writeln!(io::stdout(), "{client} has ended");
    Ok(())
}

fn main() -> Result {
    let allowed = std::env::args().skip(2).map(|ip| ip.parse());
    let relay = Relay(allowed.collect::<std::result::Result<_, _>>()?);
    let server = ThreadingTcpServer::options()
        .timeout(CONNECT_TIMEOUT)
        .max_connections(200)
        .bind(address("localhost:1080"), handler_fn_with(relay, serve))?;
    serve_until_ctrl_c(&server)
}
