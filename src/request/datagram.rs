//! Requests of datagram servers: one packet and the reply to it.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::request::datagram_socket::DatagramSocket;
use crate::request::route::{LocalAddress, Route};
use crate::request::{Request, RequestLifecycle, packet_buffers};
use crate::state::live_connection::Recipient;
use crate::state::{Rejection, Sender, ServerHandle, ServerState};
use crate::sys;

/// A datagram of a datagram server: see [`Request`] for how to read and answer it.
///
/// All writes of the handler are collected, and sent to the client as **one** datagram after the handler
/// has succeeded. A handler that fails or writes nothing sends nothing. For several replies, for an empty
/// reply, or for a packet to another address, [`send_to`](Self::send_to) sends at once.
///
/// A reply to a client that no longer exists is sent without an error, because UDP does not wait for an answer. With
/// the socket option `IP_RECVERR`, [`get_request_error`](crate::Service::get_request_error) is called later; the
/// request has succeeded all the same.
///
/// > **Coming from Python.** `self.request` was the pair `(data, socket)`: `data` is
/// > [`packet()`](Self::packet), `socket.sendto(reply, address)` is
/// > [`send_to(reply, address)`](Self::send_to). Python's `DatagramRequestHandler` always answers, even
/// > with an empty datagram and even after an exception. Here, an unbound Unix client can be served; only
/// > a reply to it is an error.
///
/// ```
/// use socketserver::{prelude::*, testing::converse};
///
/// let service = handler_fn(|request: &mut UdpRequest| {
///     let size = request.packet().len();
///     Ok(write!(request, "{size} bytes")?)
/// });
/// assert_eq!(converse(service, "hello")?, b"5 bytes");
/// # Ok::<(), BoxError>(())
/// ```
pub struct DatagramRequest<S: DatagramSocket> {
    packet: Vec<u8>,
    /// Number of bytes of the packet that were read.
    position: usize,
    truncated: bool,
    reply: Vec<u8>,
    route: Route<S>,
    socket: Arc<S>,
    server: ServerHandle,
    /// A handler has called [`socket`](Self::socket).
    socket_used: AtomicBool,
    /// Number of the listener.
    listener: usize,
}

impl<S: DatagramSocket> DatagramRequest<S> {
    /// Makes a request from a received datagram. For the
    /// [`get_request`](crate::Transport::get_request) of your own transport.
    ///
    /// `truncated`: the datagram was longer than `data`. The request's
    /// [`local_address`](Request::local_address) is that of the socket.
    ///
    /// See the [example](crate::request::DatagramSocket).
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
        let route = Route {
            client: client_address,
            local: None,
        };
        Self {
            packet,
            position: 0,
            truncated,
            reply,
            route,
            socket,
            server,
            socket_used: AtomicBool::new(false),
            listener: 0,
        }
    }

    pub(crate) fn with_local_address(mut self, local: Option<LocalAddress<S>>) -> Self {
        self.route.local = local;
        self
    }

    /// Whether this is a request of this socket and server. A handler can exchange two requests.
    #[inline]
    pub(crate) fn belongs_to(&self, socket: &Arc<S>, server: &ServerHandle) -> bool {
        Arc::ptr_eq(&self.socket, socket) && Arc::ptr_eq(&self.server.0, &server.0)
    }

    /// Replaces the packet by another datagram. `receive` appends it to the empty packet and returns the
    /// client's address, and the address to which it was sent. The buffers are used again, except one for a
    /// large reply.
    #[inline]
    pub(crate) fn renew<E>(
        &mut self,
        max_packet_size: usize,
        receive: impl FnOnce(&mut Vec<u8>) -> Result<(S::Address, Option<LocalAddress<S>>), E>,
    ) -> Result<(), E> {
        self.position = 0;
        packet_buffers::clear(&mut self.reply);
        self.packet.clear();
        let (client, local) = receive(&mut self.packet)?;
        self.route = Route { client, local };
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
    ///
    /// See the [example](Self).
    #[doc(alias = "data")]
    pub fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// Whether the datagram was longer than the server's
    /// [`max_packet_size`](crate::ServerOptions::max_packet_size) and lost its end. With the default, no UDP
    /// datagram is. (Python truncates at 8192 bytes and does not report it.)
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::TestServer};
    ///
    /// let service = handler_fn(|request: &mut UdpRequest| {
    ///     let size = request.packet().len();
    ///     let truncated = request.truncated();
    ///     Ok(write!(request, "{size}, truncated: {truncated}")?)
    /// });
    /// let server = UdpServer::options().max_packet_size(4).bind("127.0.0.1:0", service)?;
    /// let server = TestServer::start(server);
    /// let mut client = server.client();
    /// client.send_all("hello")?;
    /// assert_eq!(client.recv()?, b"4, truncated: true");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Sends a datagram from the server's socket at once, to any address. Python:
    /// `socket.sendto(data, address)`.
    ///
    /// A datagram to the client leaves from [`local_address`](Request::local_address), as the reply does. For
    /// other addresses, the system chooses the address from which it leaves.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut UdpRequest| {
    ///     let client = *request.client_address();
    ///     request.send_to(b"first ", &client)?;
    ///     Ok(request.send_all("second")?) // sent when the handler has returned
    /// });
    /// assert_eq!(converse(service, "hello")?, b"first second");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An error of `sendto(2)`; `AddrNotAvailable` for an unnamed Unix address. If the address is that of the
    /// client, [`DisconnectKind::of`](crate::DisconnectKind::of) returns whether the client is gone.
    #[doc(alias = "sendto")]
    pub fn send_to(&self, data: &[u8], address: &S::Address) -> io::Result<()> {
        if *address == self.route.client {
            return self.send_to_client(data);
        }
        let sent = self.socket.send_to(data, address)?;
        self.server.0.counters.count_bytes(0, sent as u64);
        Ok(())
    }

    fn send_to_client(&self, data: &[u8]) -> io::Result<()> {
        let sent = self.route.send(&self.socket, data);
        let sent = sent.map_err(sys::disconnect::mark_reply)?;
        self.server.0.counters.count_bytes(0, sent as u64);
        Ok(())
    }

    /// The server's socket, for its options.
    ///
    /// To answer the client, use [`send_to`](Self::send_to): what a handler sends by the socket may leave from
    /// another address than the one that the client has asked.
    ///
    /// A handler can also receive from it. But a [`Sequential`](crate::Sequential) server receives several
    /// datagrams at once, and may have received some of them before the handler. It stops doing so after a
    /// handler has called this method.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut UdpRequest| {
    ///     let port = request.socket().local_addr()?.port();
    ///     assert_eq!(port, request.local_address()?.port());
    ///     Ok(request.send_all("one socket for all clients")?)
    /// });
    /// assert_eq!(converse(service, "?")?, b"one socket for all clients");
    /// # Ok::<(), BoxError>(())
    /// ```
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
        &self.route.client
    }

    fn local_address(&self) -> io::Result<S::Address> {
        match &self.route.local {
            Some(local) => Ok(local.address.clone()),
            None => self.socket.local_address(),
        }
    }

    fn server(&self) -> &ServerHandle {
        &self.server
    }

    fn sender(&self) -> Sender {
        Sender::datagram(Arc::new(Client {
            socket: Arc::downgrade(&self.socket),
            route: self.route.clone(),
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
    fn set_listener(&mut self, number: usize) {
        self.listener = number;
    }

    fn listener(&self) -> usize {
        self.listener
    }

    fn reply(&mut self) -> io::Result<()> {
        if self.reply.is_empty() {
            return Ok(());
        }
        let sent = self.send_to_client(&self.reply);
        self.reply.clear();
        sent
    }

    fn shutdown_request(&mut self, _is_complete: bool) {}

    fn reject(&mut self, rejection: &Rejection) {
        if let Rejection::Message(message) = rejection
            && !message.is_empty()
        {
            let _ = self.send_to_client(message);
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
            .field("client_address", &self.route.client)
            .field("size", &self.packet.len())
            .field("truncated", &self.truncated)
            .finish_non_exhaustive()
    }
}

/// The client of a datagram, for a [`Sender`]. It refers weakly to the socket, so that a sender does not
/// keep the server's port open.
struct Client<S: DatagramSocket> {
    socket: Weak<S>,
    route: Route<S>,
    server: Weak<ServerState>,
}

impl<S: DatagramSocket> Recipient for Client<S> {
    fn send_all(&self, data: &[u8]) -> io::Result<()> {
        let socket = self
            .socket
            .upgrade()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the server is closed"))?;
        let sent = self.route.send(&socket, data)?;
        if let Some(server) = self.server.upgrade() {
            server.counters.count_bytes(0, sent as u64);
        }
        Ok(())
    }
}
