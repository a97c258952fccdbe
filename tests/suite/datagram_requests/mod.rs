//! Operations of a handler on a datagram: read it, answer it once, several times or not at all, and send
//! datagrams to other addresses.

mod local_address;
mod others;
mod peers;
mod reading;
mod replies;

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use socketserver::request::DatagramSocket;
#[cfg(unix)]
use socketserver::transport::UnixDatagram;
use socketserver::transport::{Datagram, Udp};
use socketserver::{
    DatagramRequest, Request, Sequential, Stage, Strategy, Threading, UdpRequest, UdpServer,
    UnixAddress,
};
#[cfg(unix)]
use socketserver::{UnixDatagramRequest, UnixDatagramServer};

use crate::support::net::*;

/// Size in bytes of the largest UDP datagram over IPv4.
const LARGEST: usize = 65_507;

/// Datagram transports, and the type of their sockets.
trait Packets: Reachable<Request = DatagramRequest<Self::Socket>> + Datagram {
    type Socket: DatagramSocket<Address = Self::Address>;
    /// Size in bytes of the largest datagram that the tests send.
    const LARGEST: usize;
}

impl Packets for Udp {
    type Socket = std::net::UdpSocket;
    const LARGEST: usize = LARGEST;
}

#[cfg(unix)]
impl Packets for UnixDatagram {
    type Socket = std::os::unix::net::UnixDatagram;
    // The limit of macOS.
    const LARGEST: usize = if cfg!(target_os = "linux") {
        LARGEST
    } else {
        2048
    };
}

/// Does what the packet orders. A test that expects no reply sends a second packet: its reply has to be the
/// first to arrive.
fn obey_packet<R: Request>() -> Hooks<R> {
    Hooks::new(|request: &mut R| {
        let order = request.readline(100)?;
        match &*order {
            b"write nothing" => Ok(()),
            b"write empty" => Ok(request.send_all(b"")?),
            b"write and fail" => {
                request.send_all(b"half an answer")?;
                Err("on purpose".into())
            }
            b"write and panic" => {
                request.send_all(b"half an answer")?;
                panic!("on purpose");
            }
            b"write and close" => {
                request.send_all(b"half an answer")?;
                request.close();
                assert_eq!(
                    request.recv(100)?,
                    b"",
                    "the packet can be read after `close`"
                );
                Ok(())
            }
            b"write too much" => Ok(request.send_all([0; 1 << 20])?),
            order => Ok(request.send_all(order)?),
        }
    })
}
