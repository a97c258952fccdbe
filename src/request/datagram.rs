//! Requests of datagram servers: one packet and the reply to it.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::address::{Address, UnixAddress};
use crate::request::{Request, RequestLifecycle, packet_buffers};
use crate::state::live_connection::Recipient;
use crate::state::{Rejection, Sender, ServerHandle, ServerState};
use crate::sys;

/// A bound datagram socket: [`UdpSocket`], [`UnixDatagram`], or a type of your own.
///
/// - **You implement** it, both methods, to serve another kind of datagrams. [`DatagramRequest`] adds the
///   rest, and your [`Transport::get_request`](crate::Transport::get_request) makes the request.
/// - **The server calls** [`send_to`](Self::send_to), from any thread, also from several at the same time;
///   [`recv_from`](Self::recv_from) is for your transport.
pub trait DatagramSocket: Send + Sync + 'static {
    /// The type of client addresses.
    type Address: Address;

    /// Receives one datagram without waiting, and returns its size in `buffer` and the client's address.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; otherwise an error of `recvfrom(2)`.
    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Self::Address)>;

    /// Sends one datagram and returns its size.
    ///
    /// # Errors
    ///
    /// An error of `sendto(2)`.
    fn send_to(&self, data: &[u8], to: &Self::Address) -> io::Result<usize>;
}

impl DatagramSocket for UdpSocket {
    type Address = SocketAddr;

    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        sys::datagram::recv_from_inet(self.as_fd(), buffer)
    }

    fn send_to(&self, data: &[u8], to: &SocketAddr) -> io::Result<usize> {
        sys::datagram::send_to_inet(self.as_fd(), data, to)
    }
}

impl DatagramSocket for UnixDatagram {
    type Address = UnixAddress;

    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, UnixAddress)> {
        sys::datagram::recv_from_unix(self.as_fd(), buffer)
    }

    fn send_to(&self, data: &[u8], to: &UnixAddress) -> io::Result<usize> {
        sys::datagram::send_to_unix(self.as_fd(), data, to)
    }
}

/// A datagram of a datagram server: see [`Request`] for how to read and answer it.
///
/// All writes of the handler are collected, and sent to the client as **one** datagram after the handler
/// has succeeded. A handler that fails or writes nothing sends nothing. For several replies, for an empty
/// reply, or for a packet to another address, [`send_to`](Self::send_to) sends at once.
///
/// > **Coming from Python.** `self.request` was the pair `(data, socket)`: `data` is
/// > [`packet()`](Self::packet), `socket.sendto(reply, address)` is
/// > [`send_to(reply, address)`](Self::send_to). Python's `DatagramRequestHandler` always answers, even
/// > with an empty datagram and even after an exception. Here, an unbound Unix client can be served; only
/// > a reply to it is an error.
pub struct DatagramRequest<S: DatagramSocket> {
    packet: Vec<u8>,
    /// Number of bytes of the packet that were read.
    position: usize,
    truncated: bool,
    reply: Vec<u8>,
    client_address: S::Address,
    socket: Arc<S>,
    server: ServerHandle,
    /// A handler has called [`socket`](Self::socket).
    socket_used: AtomicBool,
}

impl<S: DatagramSocket> DatagramRequest<S> {
    /// Makes a request from a received datagram. For the
    /// [`get_request`](crate::Transport::get_request) of your own transport.
    ///
    /// `truncated`: the datagram was longer than `data`.
    pub fn new(
        data: &[u8],
        truncated: bool,
        client_address: S::Address,
        socket: Arc<S>,
        server: &ServerHandle,
    ) -> Self {
        let [mut packet, reply] = packet_buffers::take();
        packet.extend_from_slice(data);
        server.0.counters.count_bytes(data.len() as u64, 0);
        let server = server.clone();
        Self {
            packet,
            position: 0,
            truncated,
            reply,
            client_address,
            socket,
            server,
            socket_used: AtomicBool::new(false),
        }
    }

    /// Whether this is a request of this socket and server. A handler can exchange two requests.
    #[inline]
    pub(crate) fn belongs_to(&self, socket: &Arc<S>, server: &ServerHandle) -> bool {
        Arc::ptr_eq(&self.socket, socket) && Arc::ptr_eq(&self.server.0, &server.0)
    }

    /// Replaces the packet by another datagram. `receive` appends it to the empty packet and returns the
    /// client's address. The buffers are used again, except one for a large reply.
    #[inline]
    pub(crate) fn renew<E>(
        &mut self,
        max_packet_size: usize,
        receive: impl FnOnce(&mut Vec<u8>) -> Result<S::Address, E>,
    ) -> Result<(), E> {
        self.position = 0;
        packet_buffers::clear(&mut self.reply);
        self.packet.clear();
        self.client_address = receive(&mut self.packet)?;
        self.truncated = self.packet.len() > max_packet_size;
        self.packet.truncate(max_packet_size);
        let received = self.packet.len() as u64;
        self.server.0.counters.count_bytes(received, 0);
        Ok(())
    }

    /// Whether a handler has called [`socket`](Self::socket).
    #[inline]
    pub(crate) fn was_socket_used(&self) -> bool {
        self.socket_used.load(Ordering::Relaxed)
    }

    /// The whole packet, including the part that was read already.
    #[doc(alias = "data")]
    pub fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// Whether the datagram was longer than the server's
    /// [`max_packet_size`](crate::ServerOptions::max_packet_size) and lost its end. With the default, no UDP
    /// datagram is. (Python truncates at 8192 bytes and does not report it.)
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Sends a datagram from the server's socket at once, to any address. Python:
    /// `socket.sendto(data, address)`.
    ///
    /// # Errors
    ///
    /// An error of `sendto(2)`; `AddrNotAvailable` for an unnamed Unix address.
    #[doc(alias = "sendto")]
    pub fn send_to(&self, data: &[u8], address: &S::Address) -> io::Result<()> {
        let sent = self.socket.send_to(data, address)?;
        self.server.0.counters.count_bytes(0, sent as u64);
        Ok(())
    }

    /// The server's socket, for its options.
    ///
    /// A handler can also receive from it. But a [`Sequential`](crate::Sequential) server receives several
    /// datagrams at once, and may have received some of them before the handler. It stops doing so after a
    /// handler has called this method.
    pub fn socket(&self) -> &S {
        self.socket_used.store(true, Ordering::Relaxed);
        &self.socket
    }
}

impl<S: DatagramSocket> Drop for DatagramRequest<S> {
    fn drop(&mut self) {
        packet_buffers::give_back([mem::take(&mut self.packet), mem::take(&mut self.reply)]);
    }
}

impl<S: DatagramSocket> Request for DatagramRequest<S> {
    type Address = S::Address;

    fn client_address(&self) -> &S::Address {
        &self.client_address
    }

    fn server(&self) -> &ServerHandle {
        &self.server
    }

    fn sender(&self) -> Sender {
        Sender::datagram(Arc::new(Client {
            socket: Arc::downgrade(&self.socket),
            address: self.client_address.clone(),
            server: Arc::downgrade(&self.server.0),
        }))
    }

    fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> io::Result<()> {
        sys::socket::check_timeout(timeout.into())
    }

    fn close(&mut self) {
        self.position = self.packet.len();
        self.reply.clear();
    }
}

impl<S: DatagramSocket> RequestLifecycle for DatagramRequest<S> {
    fn reply(&mut self) -> io::Result<()> {
        if self.reply.is_empty() {
            return Ok(());
        }
        self.send_to(&self.reply, &self.client_address)
    }

    fn shutdown_request(&mut self) {}

    fn reject(&mut self, rejection: &Rejection) {
        if let Rejection::Message(message) = rejection
            && !message.is_empty()
        {
            let _ = self.send_to(message, &self.client_address);
        }
    }
}

impl<S: DatagramSocket> Read for DatagramRequest<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = (&self.packet[self.position..]).read(buffer)?;
        self.position += size;
        Ok(size)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        if self.packet.len() - self.position < buffer.len() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the datagram is shorter than the message should be",
            ));
        }
        self.read(buffer).map(drop)
    }
}

impl<S: DatagramSocket> BufRead for DatagramRequest<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(&self.packet[self.position..])
    }

    fn consume(&mut self, amount: usize) {
        self.position = (self.position + amount).min(self.packet.len());
    }
}

impl<S: DatagramSocket> Write for DatagramRequest<S> {
    /// Appends to the reply.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.reply.extend_from_slice(data);
        Ok(data.len())
    }

    /// Does nothing: the reply is one datagram, which is sent after the handler has succeeded.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: DatagramSocket> fmt::Debug for DatagramRequest<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramRequest")
            .field("client_address", &self.client_address)
            .field("size", &self.packet.len())
            .field("truncated", &self.truncated)
            .finish_non_exhaustive()
    }
}

/// The client of a datagram, for a [`Sender`]. It refers weakly to the socket, so that a sender does not
/// keep the server's port open.
struct Client<S: DatagramSocket> {
    socket: Weak<S>,
    address: S::Address,
    server: Weak<ServerState>,
}

impl<S: DatagramSocket> Recipient for Client<S> {
    fn send_all(&self, data: &[u8]) -> io::Result<()> {
        let socket = self
            .socket
            .upgrade()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the server is closed"))?;
        let sent = socket.send_to(data, &self.address)?;
        if let Some(server) = self.server.upgrade() {
            server.counters.count_bytes(0, sent as u64);
        }
        Ok(())
    }
}
