//! The reading half and the writing half of a stream request.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use crate::disconnect::ClientGone;
use crate::request::connection::Connection;
use crate::request::read_buffer::ReadBuffer;
use crate::request::stream_socket::StreamSocket;
use crate::state::live_connection::{LiveConnection, Recipient};
use crate::state::sender::write_formatted;

/// Size in bytes from which a read goes past the read buffer. Smaller reads go through it, so that each
/// does not cost a system call.
const UNBUFFERED_READ: usize = 4096;

/// The reading half of a [`StreamRequest`](crate::StreamRequest). Python: `self.rfile`, with its default
/// buffering (`rbufsize = -1`).
///
/// See the [example](crate::StreamRequest::split).
#[doc(alias = "rfile")]
#[doc(alias = "rbufsize")]
pub struct StreamReader<S: StreamSocket> {
    connection: Arc<Connection<S>>,
    pub(super) buffer: ReadBuffer,
    /// The client's end of the stream was read: no unread input can be left.
    pub(super) ended: bool,
}

impl<S: StreamSocket> StreamReader<S> {
    pub(super) fn new(connection: Arc<Connection<S>>) -> Self {
        Self {
            connection,
            buffer: ReadBuffer::default(),
            ended: false,
        }
    }

    /// Fills the empty buffer.
    fn receive(&mut self) -> io::Result<()> {
        self.receive_after(|_| Ok(()))
    }

    /// Fills the empty buffer. Each attempt begins with `wait`.
    fn receive_after(&mut self, wait: impl Fn(&Connection<S>) -> io::Result<()>) -> io::Result<()> {
        let connection = &self.connection;
        connection.read_within_timeouts(|| {
            wait(connection)?;
            let mut would_block = false;
            loop {
                connection.before_recv(would_block)?;
                match self.buffer.fill(|buffer| connection.recv_spare(buffer)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => would_block = true,
                    received => return received,
                }
            }
        })?;
        self.record_read(self.buffer.unread().len());
        Ok(())
    }

    /// Puts bytes that were received before the first read in front of it.
    #[cfg(feature = "proxy-protocol")]
    pub(super) fn unread(&mut self, start: Vec<u8>) -> io::Result<()> {
        if start.is_empty() {
            return Ok(());
        }
        self.connection.state.count_received(start.len());
        self.buffer.fill(|buffer| {
            buffer.extend(start);
            Ok(())
        })
    }

    /// Waits for the client's next message. Returns `false` at the end of the stream, and if a stop ends the
    /// wait.
    pub(super) fn wait_for_message(&mut self) -> io::Result<bool> {
        if !self.buffer.unread().is_empty() {
            return self.fill_buf().map(|unread| !unread.is_empty());
        }
        let connection = Arc::clone(&self.connection);
        connection.state.while_idle(|| {
            // A stop that was requested before may not have seen that the connection is idle.
            if connection.state.server.0.life_cycle.is_draining() {
                connection.end_idle();
            }
            self.receive_after(Connection::wait_in_child)
        })?;
        Ok(!self.buffer.unread().is_empty())
    }

    /// Records that `size` bytes were received; 0 is the end of the stream.
    fn record_read(&mut self, size: usize) {
        self.ended |= size == 0 && !self.connection.state.reads_are_ended();
        if size > 0
            && let Some(timeouts) = &self.connection.timeouts
        {
            timeouts.record_input();
        }
    }
}

impl<S: StreamSocket> Read for StreamReader<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.buffer.unread().is_empty() && buffer.len() >= UNBUFFERED_READ {
            let size = self.connection.recv(buffer)?;
            self.record_read(size);
            return Ok(size);
        }
        let unread = self.fill_buf()?;
        let size = unread.len().min(buffer.len());
        buffer[..size].copy_from_slice(&unread[..size]);
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
            timeouts.record_input();
        }
        Ok(self.buffer.unread())
    }

    fn consume(&mut self, amount: usize) {
        self.buffer.consume(amount);
    }
}

/// The writing half of a [`StreamRequest`](crate::StreamRequest). Python: `self.wfile`.
///
/// Has no buffer: each write is sent at once and completely. Wrap it in a
/// [`BufWriter`](io::BufWriter) for many small writes (Python: `wbufsize`).
///
/// See the [example](crate::StreamRequest::split).
#[doc(alias = "wfile")]
#[doc(alias = "wbufsize")]
pub struct StreamWriter<S: StreamSocket> {
    pub(super) connection: Arc<Connection<S>>,
}

impl<S: StreamSocket> Write for StreamWriter<S> {
    /// Sends all of `data`, never only a part.
    ///
    /// # Errors
    ///
    /// As for [`Request::send_all`](crate::Request::send_all).
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.connection.send_all(data)?;
        Ok(data.len())
    }

    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        write_formatted(text, |data| self.connection.send_all(data))
    }

    /// Does nothing: there is no buffer.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
