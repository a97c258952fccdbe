//! Requests of stream servers: connections.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::coroutine::fair_mutex::FairMutex;
use crate::handler_error::ClientGone;
use crate::panics::CatchDropPanic;
use crate::request::buffer::ReadBuffer;
use crate::request::connection::Connection;
use crate::request::stream_socket::StreamSocket;
use crate::request::timeouts::ConnectionTimeouts;
use crate::request::{Request, RequestLifecycle};
use crate::state::sender::{Live, write_formatted};
use crate::state::{ConnectionState, Rejection, Sender, ServerHandle};
use crate::sys;
use crate::timeout::TimeoutConfig;

/// The reading half of a [`StreamRequest`]. Python: `self.rfile`, with its default buffering
/// (`rbufsize = -1`).
#[doc(alias = "rfile")]
#[doc(alias = "rbufsize")]
pub struct StreamReader<S: StreamSocket> {
    connection: Arc<Connection<S>>,
    buffer: ReadBuffer,
    /// The client has ended its side: nothing unread can be left.
    ended: bool,
}

impl<S: StreamSocket> StreamReader<S> {
    /// Fills the empty buffer.
    fn receive(&mut self) -> io::Result<()> {
        let connection = &self.connection;
        connection.read_in_time(|| {
            let mut in_vain = false;
            loop {
                connection.before_recv(in_vain)?;
                match self.buffer.fill(|buffer| connection.recv_spare(buffer)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => in_vain = true,
                    received => return received,
                }
            }
        })?;
        self.noted(self.buffer.unread().len());
        Ok(())
    }

    /// Notes the end of the stream, and that it goes on.
    fn noted(&mut self, size: usize) -> usize {
        self.ended |= size == 0;
        if size > 0
            && let Some(timeouts) = &self.connection.timeouts
        {
            timeouts.note_read();
        }
        size
    }
}

impl<S: StreamSocket> Read for StreamReader<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // Small reads go through the buffer, so that each does not cost a system call.
        if self.buffer.unread().is_empty() && buffer.len() >= 4096 {
            let size = self.connection.recv(buffer)?;
            return Ok(self.noted(size));
        }
        let there = self.fill_buf()?;
        let size = there.len().min(buffer.len());
        buffer[..size].copy_from_slice(&there[..size]);
        self.consume(size);
        Ok(size)
    }

    fn read_exact(&mut self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read(buffer)? {
                0 => return Err(ClientGone::mid_message()),
                size => buffer = &mut buffer[size..],
            }
        }
        Ok(())
    }
}

impl<S: StreamSocket> BufRead for StreamReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.buffer.unread().is_empty() {
            self.receive()?;
        } else if let Some(timeouts) = &self.connection.timeouts {
            timeouts.note_read();
        }
        Ok(self.buffer.unread())
    }

    fn consume(&mut self, amount: usize) {
        self.buffer.consume(amount);
    }
}

/// The writing half of a [`StreamRequest`]. Python: `self.wfile`.
///
/// It has no buffer: each write is sent at once and completely. Wrap it in a
/// [`BufWriter`](io::BufWriter) for many small ones (Python: `wbufsize`).
#[doc(alias = "wfile")]
#[doc(alias = "wbufsize")]
pub struct StreamWriter<S: StreamSocket> {
    connection: Arc<Connection<S>>,
}

impl<S: StreamSocket> Write for StreamWriter<S> {
    /// Sends all of `data`; never a part of it.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.connection.send_all(data)?;
        Ok(data.len())
    }

    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        write_formatted(text, |data| self.connection.send_all(data))
    }

    /// Nothing to do: nothing is held back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection of a stream server: see [`Request`] for how to read from it and write to it.
#[doc(alias = "connection")]
pub struct StreamRequest<S: StreamSocket> {
    reader: StreamReader<S>,
    writer: StreamWriter<S>,
}

impl<S: StreamSocket> StreamRequest<S> {
    /// Makes a request of an accepted connection: for transports of your own.
    pub fn new(socket: S, client_address: S::Address, server: &ServerHandle) -> Self {
        // It may have one.
        sys::socket::expect_timeouts();
        Self::accepted(socket, client_address, server, &TimeoutConfig::default())
    }

    /// The same with the times that the options of the server say: a transport of your own finds them in
    /// [`SocketOptions::timeouts`](crate::transport::SocketOptions::timeouts). The request begins now.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a time of zero; `ConnectionAborted`, which concerns this client only, if
    /// [`StreamSocket::set_timeouts`] fails.
    pub fn with_timeouts(
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
        config: &TimeoutConfig,
    ) -> io::Result<Self> {
        sys::socket::expect_timeouts();
        config.check()?;
        let timeouts = ConnectionTimeouts::new(config);
        if let Some(timeouts) = &timeouts {
            let (read, write) = config.socket_timeouts();
            socket
                .set_timeouts(read, write)
                .map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, error))?;
            timeouts.note_own(&socket);
        }
        Ok(Self::with_connection_timeouts(
            socket,
            client_address,
            server,
            timeouts,
        ))
    }

    /// The same for a socket whose timeouts, if it has any, were set here.
    pub(crate) fn accepted(
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
        config: &TimeoutConfig,
    ) -> Self {
        Self::with_connection_timeouts(
            socket,
            client_address,
            server,
            ConnectionTimeouts::new(config),
        )
    }

    fn with_connection_timeouts(
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
        timeouts: Option<ConnectionTimeouts>,
    ) -> Self {
        // It has to know its place in the registry, and the registry has to know it. Its memory is
        // taken before the registry is locked, and there is nothing to cut until it is made.
        let connection = Arc::new_cyclic(|connection: &Weak<Connection<S>>| Connection {
            socket: CatchDropPanic::new(socket),
            client_address,
            sending: FairMutex::default(),
            timeouts,
            state: ConnectionState::begin(server, connection.clone()),
        });
        Self {
            reader: StreamReader {
                connection: Arc::clone(&connection),
                buffer: ReadBuffer::default(),
                ended: false,
            },
            writer: StreamWriter { connection },
        }
    }

    /// The socket, for its options. Reading from it directly misses what is in
    /// [`buffer`](Self::buffer).
    #[doc(alias = "connection")]
    pub fn socket(&self) -> &S {
        // A timeout is among them.
        sys::socket::expect_timeouts();
        &self.shared().socket
    }

    /// The bytes that were received from the client and not yet read by the handler.
    pub fn buffer(&self) -> &[u8] {
        self.reader.buffer.unread()
    }

    /// The two halves, for a handler that reads and writes at the same time: on two threads (see
    /// [`std::thread::scope`]), or in a loop over `reader.lines()` that writes to the other half
    /// (lines have no length limit then).
    #[doc(alias = "rfile")]
    #[doc(alias = "wfile")]
    pub fn split(&mut self) -> (&mut StreamReader<S>, &mut StreamWriter<S>) {
        (&mut self.reader, &mut self.writer)
    }

    fn shared(&self) -> &Arc<Connection<S>> {
        &self.writer.connection
    }

    /// First tells the client; it fails if the client is gone. Then makes sure that closing does not take
    /// back what it was told.
    fn shut_down(&self) {
        let _ = self.shared().socket.shutdown(Shutdown::Write);
        if !self.reader.ended {
            self.shared().socket.before_close();
        }
    }
}

impl<S: StreamSocket> Request for StreamRequest<S> {
    type Address = S::Address;

    fn client_address(&self) -> &S::Address {
        &self.shared().client_address
    }

    fn server(&self) -> &ServerHandle {
        &self.shared().state.server
    }

    fn sender(&self) -> Sender {
        let connection: Weak<Connection<S>> = Arc::downgrade(self.shared());
        Sender::stream(connection)
    }

    fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> io::Result<()> {
        let connection = self.shared();
        match &connection.timeouts {
            Some(timeouts) => timeouts.set_timeout(timeout.into(), &*connection.socket),
            None => connection.socket.set_timeout(timeout.into()),
        }
    }

    fn close(&mut self) {
        self.shared().interrupt();
    }
}

impl<S: StreamSocket> RequestLifecycle for StreamRequest<S> {
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.shared().socket.descriptor()
    }

    fn connection_state(&self) -> Option<&ConnectionState> {
        Some(&self.shared().state)
    }

    fn shutdown_request(&mut self) {
        self.shut_down();
        let linger = self
            .shared()
            .timeouts
            .as_ref()
            .and_then(ConnectionTimeouts::linger);
        if let (false, Some(time)) = (self.reader.ended, linger) {
            self.shared().linger(time);
        }
    }

    fn reject(&mut self, rejection: &Rejection) {
        let connection = self.shared();
        match rejection {
            Rejection::Message(message) => {
                if let Ok(sent) = connection.socket.try_send(message) {
                    connection.state.count_sent(sent);
                }
            }
            Rejection::Close => {}
            Rejection::Reset => {
                // On failure the client is gone already, or the connection is closed without a reset.
                let _ = self.descriptor().map(sys::socket::reset_on_close);
                return;
            }
        }
        self.shut_down();
    }
}

impl<S: StreamSocket> Read for StreamRequest<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(buffer)
    }
}

impl<S: StreamSocket> BufRead for StreamRequest<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl<S: StreamSocket> Write for StreamRequest<S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.writer.write(data)
    }

    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.writer.write_fmt(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl<S: StreamSocket> fmt::Debug for StreamRequest<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRequest")
            .field("client_address", self.client_address())
            .finish_non_exhaustive()
    }
}
