//! A stream socket with TLS.
//!
//! The state of the session is behind a lock that is held while bytes are encrypted or decrypted, and while they
//! are passed to a socket that has space. It is never held during a wait, so that one thread can read while another
//! one writes or shuts the connection down.
//!
//! Encrypted bytes wait in the session until the socket takes them. A write is complete when it has. If a write
//! times out before that, its bytes are on their way all the same: the next write sends them first, and a
//! repetition of the write is then complete without another encryption (see [`Session::repeated`]).

mod records;
mod session;

use std::cell::OnceCell;
use std::fmt;
use std::io::{self, BufRead};
use std::mem;
use std::net::Shutdown;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::ServerConnection;

use crate::coroutine::stream_io::timed_out;
use crate::handshake_error;
use crate::request::stream_socket::{HandshakeStep, StreamSocket};
use crate::request::tls_socket::session::{Destination, Session};
use crate::sys::fd::BorrowedFd;
use crate::sys::poll::Direction;
use crate::tls::{TlsConfig, TlsInfo};

/// Size in bytes of the buffer for encrypted input: one record of the largest size.
const INPUT_SIZE: usize = 16 * 1024 + 512;
/// Number of bytes that are received at a time during the handshake. The session takes at most so many at once.
const HANDSHAKE_SIZE: usize = 4096;
/// Number of bytes that are encrypted at a time.
const OUTPUT_SIZE: usize = 64 * 1024;
/// Number of bytes that are encrypted at a time if the caller does not wait.
const MESSAGE_SIZE: usize = 16 * 1024;
/// Time in which the rest of a record arrives from most clients.
const COMPLETION_TIME: Duration = Duration::from_millis(10);
/// Longest time that the end of the output waits for a client that does not read, unless the write timeout is
/// shorter.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// A stream socket with TLS: the socket of a [`TlsRequest`](crate::TlsRequest).
///
/// ```
/// use socketserver::{TlsRequest, prelude::*};
///
/// fn show(request: &mut TlsRequest) -> Result {
///     let socket = request.socket();
///     let peer = socket.get_ref().peer_addr()?; // the socket below
///     assert!(!socket.has_close_notify());
///     Ok(writeln!(request, "you are {peer}")?)
/// }
/// ```
#[doc(alias = "SSLSocket")]
pub struct TlsSocket<S> {
    inner: S,
    config: TlsConfig,
    session: Mutex<Session>,
    info: OnceLock<TlsInfo>,
}

impl<S: StreamSocket> TlsSocket<S> {
    /// Wraps a connected socket. Unlike Python's `wrap_socket`, does not wait for the handshake, which follows by
    /// [`StreamSocket::handshake`]. Until it is complete, reads and writes fail with `NotConnected`.
    ///
    /// ```
    /// use socketserver::request::{TlsSocket};
    /// use socketserver::tls::TlsConfig;
    /// use std::net::TcpStream;
    ///
    /// fn wrap(socket: TcpStream, tls: &TlsConfig) -> TlsSocket<TcpStream> {
    ///     TlsSocket::new(socket, tls)
    /// }
    /// # let _ = wrap;
    /// ```
    #[doc(alias = "wrap_socket")]
    pub fn new(inner: S, config: &TlsConfig) -> Self {
        Self {
            inner,
            config: config.clone(),
            session: Mutex::default(),
            info: OnceLock::new(),
        }
    }

    /// The socket below. Its own reads and writes would break the session.
    ///
    /// See the [example](Self).
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Whether the client has ended its output in order, by `close_notify`. If a read has found the end of the
    /// stream without it, the connection was closed, possibly by someone on the way: a protocol that does not say
    /// how long a message is cannot know whether it has the whole message.
    ///
    /// See the [example](Self).
    #[doc(alias = "suppress_ragged_eofs")]
    #[doc(alias = "SSLEOFError")]
    pub fn has_close_notify(&self) -> bool {
        self.session.lock().has_close_notify
    }

    /// Receives into `buffer` what is available after decryption, and waits by `receive` for encrypted bytes.
    fn receive<B: Destination + ?Sized>(
        &self,
        buffer: &mut B,
        receive: impl Fn(&S, &mut Vec<u8>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let mut session = self.session.lock();
            if let Some(size) = session.read(&self.inner, buffer)? {
                session.incomplete_since = None;
                return Ok(size);
            }
            let mut input = mem::take(&mut session.input);
            session.input_read = 0;
            let incomplete_since = session.incomplete_since;
            drop(session);
            self.check_read_timeout(incomplete_since)?;
            input.clear();
            input.reserve_exact(INPUT_SIZE);
            let received = receive(&self.inner, &mut input);
            let mut session = self.session.lock();
            match received {
                Ok(0) => session.end_input(&self.inner)?,
                Ok(_) => {
                    session.records.pass(&input);
                    session.input = input;
                    session.incomplete_since.get_or_insert_with(Instant::now);
                }
                Err(error) => {
                    session.record_timeout(&error);
                    return Err(error);
                }
            }
        }
    }

    /// Ends a read that has received encrypted bytes for the whole read timeout, but no complete record: a client
    /// that sends a byte at a time would occupy its handler without limit.
    fn check_read_timeout(&self, incomplete_since: Option<Instant>) -> io::Result<()> {
        let Some(since) = incomplete_since else {
            return Ok(());
        };
        let elapsed = since.elapsed();
        // Spares the usual case the look at the timeout, which is a system call.
        if elapsed < COMPLETION_TIME {
            return Ok(());
        }
        match self.inner.read_timeout() {
            Some(timeout) if elapsed >= timeout => {
                self.session.lock().incomplete_since = None;
                Err(timed_out(Direction::Receive))
            }
            _ => Ok(()),
        }
    }

    /// Passes the encrypted bytes of the session to the socket, and waits for space, at most for the time that
    /// `timeout` returns.
    fn flush(&self, timeout: impl Fn() -> Option<Duration>) -> io::Result<()> {
        while !self.session.lock().flush(&self.inner)? {
            // After the time, there may be less space than a wait counts as writable, but enough.
            if !self.inner.wait_writable(timeout())? && !self.session.lock().flush(&self.inner)? {
                return Err(timed_out(Direction::Send));
            }
        }
        Ok(())
    }
}

impl<S: StreamSocket> StreamSocket for TlsSocket<S> {
    type Address = S::Address;

    fn needs_handshake(&self) -> bool {
        self.info.get().is_none()
    }

    fn handshake(&self) -> io::Result<HandshakeStep> {
        let mut session = self.session.lock();
        loop {
            if !session.flush(&self.inner)? {
                return Ok(HandshakeStep::WantWrite);
            }
            if let Some(connection) = &session.connection
                && !connection.is_handshaking()
            {
                let _ = self.info.set(TlsInfo::of(connection));
                return Ok(HandshakeStep::Done);
            }
            let mut buffer = [0; HANDSHAKE_SIZE];
            let mut input = match self.inner.try_recv(&mut buffer) {
                Ok(0) => return Err(handshake_error::disconnected()),
                Ok(size) => &buffer[..size],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(HandshakeStep::WantRead);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if session.connection.is_none() {
                let connection = ServerConnection::new(self.config.to_rustls());
                session.connection = Some(Box::new(connection.map_err(io::Error::other)?));
            }
            session.records.pass(input);
            let connection = session.connection()?;
            let mut processed = Ok(());
            while processed.is_ok() && !input.is_empty() {
                if connection.read_tls(&mut input)? == 0 {
                    // Bytes behind `close_notify` are ignored.
                    match connection.is_handshaking() {
                        true => return Err(handshake_error::disconnected()),
                        false => break,
                    }
                }
                processed = connection.process_new_packets().map(drop);
            }
            if let Err(error) = processed {
                // Sends the alert, so that the client can say what is wrong.
                let _ = session.flush(&self.inner);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }

    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer, |socket, input| {
            let mut would_block = false;
            loop {
                socket.before_recv(would_block)?;
                match socket.recv_spare(input) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => would_block = true,
                    received => return received,
                }
            }
        })
    }

    fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        self.receive(buffer, S::recv_spare)
    }

    fn before_recv(&self, would_block: bool) -> io::Result<()> {
        if self.has_pending_input() {
            return Ok(());
        }
        let waited = self.inner.before_recv(would_block);
        waited.inspect_err(|error| self.session.lock().record_timeout(error))
    }

    fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer, |socket, input| {
            input.resize(input.capacity(), 0);
            let received = socket.try_recv(input);
            input.truncate(*received.as_ref().unwrap_or(&0));
            received
        })
    }

    fn has_pending_input(&self) -> bool {
        let mut session = self.session.lock();
        let has_input = session.input_read < session.input.len();
        let connection = session.connection.as_mut();
        has_input
            || connection.is_some_and(|connection| {
                if connection.is_handshaking() {
                    return true;
                }
                let available = connection.reader().fill_buf().map(<[u8]>::len);
                !matches!(available, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            })
    }

    fn has_incomplete_input(&self) -> bool {
        self.session.lock().records.ends_in_record()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inner.descriptor()
    }

    fn local_address(&self) -> io::Result<S::Address> {
        self.inner.local_address()
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        let begun = OnceCell::new();
        let time_left = || {
            let timeout = self.inner.write_timeout()?;
            let elapsed = begun.get_or_init(Instant::now).elapsed();
            Some(timeout.saturating_sub(elapsed))
        };
        self.flush(time_left)?;
        let mut session = self.session.lock();
        if let Some(size) = session.take_repeated(data) {
            return Ok(size);
        }
        let size = session.encrypt(data, OUTPUT_SIZE)?;
        drop(session);
        let sent = self.flush(time_left);
        if sent.is_err() {
            self.session.lock().repeated = data[..size].to_vec();
        }
        sent.map(|()| size)
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        let mut session = self.session.lock();
        if !session.flush(&self.inner)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if let Some(size) = session.take_repeated(data) {
            return Ok(size);
        }
        let size = session.encrypt(data, MESSAGE_SIZE)?;
        if session.flush(&self.inner)? {
            return Ok(size);
        }
        session.repeated = data[..size].to_vec();
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how == Shutdown::Write && !self.needs_handshake() {
            let mut session = self.session.lock();
            session.send_close_notify();
            let _ = session.flush(&self.inner);
        }
        self.inner.shutdown(how)
    }

    fn finish(&self) -> io::Result<()> {
        self.session.lock().send_close_notify();
        let started = Instant::now();
        let flushed = self.flush(|| {
            let timeout = self.inner.write_timeout().unwrap_or(FINISH_TIMEOUT);
            Some(
                timeout
                    .min(FINISH_TIMEOUT)
                    .saturating_sub(started.elapsed()),
            )
        });
        self.inner.finish()?;
        flushed
    }

    fn truncate(&self) -> io::Result<()> {
        let _ = self.session.lock().flush(&self.inner);
        self.inner.truncate()
    }

    fn begun(&self, data: &[u8]) -> usize {
        let repeated = &self.session.lock().repeated;
        match data.starts_with(repeated) {
            true => repeated.len(),
            false => 0,
        }
    }

    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.set_timeout(timeout)
    }

    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.inner.set_timeouts(read, write)
    }

    fn read_timeout(&self) -> Option<Duration> {
        self.inner.read_timeout()
    }

    fn write_timeout(&self) -> Option<Duration> {
        self.inner.write_timeout()
    }

    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        if !self.needs_handshake() && self.has_pending_input() {
            return Ok(true);
        }
        self.inner.wait_readable(timeout)
    }

    fn wait_writable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.inner.wait_writable(timeout)
    }

    fn before_close(&self) {
        self.inner.before_close();
    }

    fn discard(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.inner.discard(timeout)
    }

    fn tls_info(&self) -> Option<TlsInfo> {
        self.info.get().cloned()
    }
}

impl<S: fmt::Debug> fmt::Debug for TlsSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSocket")
            .field("inner", &self.inner)
            .field("info", &self.info.get())
            .finish_non_exhaustive()
    }
}
