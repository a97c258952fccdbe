//! Session of a TLS connection: encrypts and decrypts, and never waits.

use std::io::{self, BufRead, IoSlice, Write};
use std::mem;
use std::time::Instant;

use rustls::ServerConnection;

use crate::coroutine::stream_io::is_timeout;
use crate::request::stream_socket::StreamSocket;
use crate::request::tls_socket::records::Records;

/// A session, and the bytes that are not in it yet or no more.
#[derive(Default)]
pub(super) struct Session {
    /// `None` before the first bytes of the client, which so costs no memory before.
    pub(super) connection: Option<Box<ServerConnection>>,
    /// Encrypted bytes that were received, from `input_read` on. Without memory while it is empty and the reader
    /// waits.
    pub(super) input: Vec<u8>,
    pub(super) input_read: usize,
    /// Position in the encrypted bytes that were received.
    pub(super) records: Records,
    /// Time when the first bytes of a record arrived that is not complete.
    pub(super) incomplete_since: Option<Instant>,
    /// Bytes of a write that timed out after their encryption. A write that begins with them repeats it.
    pub(super) repeated: Vec<u8>,
    pub(super) has_close_notify: bool,
    is_finished: bool,
}

/// Destination of decrypted bytes.
pub(super) trait Destination {
    /// Stores a part of `bytes`, and returns its size.
    fn store(&mut self, bytes: &[u8]) -> usize;
}

impl Destination for [u8] {
    fn store(&mut self, bytes: &[u8]) -> usize {
        let size = bytes.len().min(self.len());
        self[..size].copy_from_slice(&bytes[..size]);
        size
    }
}

/// The spare capacity.
impl Destination for Vec<u8> {
    fn store(&mut self, bytes: &[u8]) -> usize {
        let size = bytes.len().min(self.capacity() - self.len());
        self.extend_from_slice(&bytes[..size]);
        size
    }
}

impl Session {
    pub(super) fn connection(&mut self) -> io::Result<&mut ServerConnection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Returns decrypted bytes, 0 at the end of the stream. `None`: more input is needed.
    pub(super) fn read<B: Destination + ?Sized>(
        &mut self,
        socket: &impl StreamSocket,
        buffer: &mut B,
    ) -> io::Result<Option<usize>> {
        loop {
            let connection = self.connection()?;
            let mut reader = connection.reader();
            match reader.fill_buf() {
                Ok([]) => {
                    self.has_close_notify = true;
                    return Ok(Some(0));
                }
                Ok(bytes) => {
                    let size = buffer.store(bytes);
                    reader.consume(size);
                    return Ok(Some(size));
                }
                // The client has left without `close_notify`.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if self.input_read == self.input.len() {
                return Ok(None);
            }
            self.process(socket)?;
        }
    }

    /// Passes received bytes to the session, and sends its answers as far as there is space.
    fn process(&mut self, socket: &impl StreamSocket) -> io::Result<()> {
        let mut input = &self.input[self.input_read..];
        let before = input.len();
        let Some(connection) = &mut self.connection else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        connection.read_tls(&mut input)?;
        self.input_read += before - input.len();
        let processed = connection.process_new_packets();
        // Sends an alert, too. If the client does not take it now, a later write sends it.
        let _ = self.flush(socket);
        match processed {
            Ok(_) => Ok(()),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// Records the error of a read. After a timeout, the next read waits for the rest of a record as long as for
    /// anything else.
    pub(super) fn record_timeout(&mut self, error: &io::Error) {
        if is_timeout(error) {
            self.incomplete_since = None;
        }
    }

    /// Records that the client has closed its side.
    pub(super) fn end_input(&mut self, socket: &impl StreamSocket) -> io::Result<()> {
        self.connection()?.read_tls(&mut io::empty())?;
        let processed = self.connection()?.process_new_packets();
        let _ = self.flush(socket);
        processed
            .map(drop)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Passes encrypted bytes to the socket as far as it has space. Returns whether none is left.
    pub(super) fn flush(&mut self, socket: &impl StreamSocket) -> io::Result<bool> {
        let Some(connection) = &mut self.connection else {
            return Ok(true);
        };
        while connection.wants_write() {
            match connection.write_tls(&mut Output(socket)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Takes `data` as repeated, if it repeats a write that has timed out. Returns its size.
    pub(super) fn take_repeated(&mut self, data: &[u8]) -> Option<usize> {
        if self.repeated.is_empty() {
            return None;
        }
        let repeated = mem::take(&mut self.repeated);
        data.starts_with(&repeated).then_some(repeated.len())
    }

    /// Encrypts a part of `data`, and returns its size.
    pub(super) fn encrypt(&mut self, data: &[u8], limit: usize) -> io::Result<usize> {
        if self.is_finished {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let data = &data[..data.len().min(limit)];
        self.connection()?.writer().write(data)
    }

    /// Queues the message that ends the output in order.
    pub(super) fn send_close_notify(&mut self) {
        if let Some(connection) = &mut self.connection
            && !mem::replace(&mut self.is_finished, true)
        {
            connection.send_close_notify();
        }
    }
}

/// The socket, as a destination of encrypted bytes that takes as many as it has space for.
struct Output<'a, S>(&'a S);

impl<S: StreamSocket> Write for Output<'_, S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.try_send(data)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_send_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
