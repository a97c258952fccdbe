//! The exchange of one message: sent to the server over a stream and received back, in any number of
//! parts.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use super::FINISH_TIMEOUT;
use crate::Result;
use crate::payload::Tag;

/// Converts `WouldBlock` to `None`.
pub fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

pub struct Exchange {
    pub tag: Tag,
    message: Vec<u8>,
    sent: usize,
    echoed: usize,
}

impl Exchange {
    /// An exchange without a message; `next` makes the first one.
    pub fn new(source: u32, size: usize) -> Self {
        Self {
            tag: Tag {
                source,
                sequence: 0,
            },
            message: vec![0; size],
            sent: size,
            echoed: size,
        }
    }

    /// Takes the exchange with its buffer, for the next connection. Leaves an empty one.
    pub fn take(&mut self) -> Self {
        let empty = Self::new(self.tag.source, 0);
        std::mem::replace(self, empty)
    }

    pub fn next(&mut self) {
        self.tag.sequence = self.tag.sequence.wrapping_add(1);
        self.tag.fill(&mut self.message);
        self.sent = 0;
        self.echoed = 0;
    }

    pub fn is_sent(&self) -> bool {
        self.sent == self.message.len()
    }

    /// Whether the echo of all bytes sent so far has arrived.
    pub fn is_answered(&self) -> bool {
        self.echoed == self.sent
    }

    /// Whether the echo of the whole message has arrived.
    pub fn is_echoed(&self) -> bool {
        self.echoed == self.message.len()
    }

    /// Sends the rest of the message until the socket buffer is full.
    pub fn send(&mut self, socket: &TcpStream) -> Result {
        while !self.is_sent() && self.send_part(socket, self.message.len())? {}
        Ok(())
    }

    /// Sends at most `limit` bytes of the message. Returns false if the socket buffer is full.
    pub fn send_part(&mut self, mut socket: &TcpStream, limit: usize) -> Result<bool> {
        let end = self.message.len().min(self.sent + limit);
        let bytes = unless_blocked(socket.write(&self.message[self.sent..end]))?;
        self.sent += bytes.unwrap_or(0);
        Ok(bytes.is_some())
    }

    /// Receives the part of the echo that has arrived, and compares it with the message.
    ///
    /// Stops after a partial read, because it has emptied the socket and, with edge-triggered events,
    /// later bytes cause a new event. The common case is therefore one system call.
    pub fn receive(&mut self, mut socket: &TcpStream, buffer: &mut [u8]) -> Result {
        while !self.is_echoed() {
            // Reads one byte more than is expected, to detect an echo that is too long.
            let capacity = (self.message.len() - self.echoed + 1).min(buffer.len());
            let Some(bytes) = unless_blocked(socket.read(&mut buffer[..capacity]))? else {
                break;
            };
            if bytes == 0 {
                return Err(format!("{:?}: the server closed the connection", self.tag).into());
            }
            let end = self.message.len().min(self.echoed + bytes);
            self.tag
                .check(&buffer[..bytes], &self.message[self.echoed..end])?;
            self.echoed = end;
            if bytes < capacity {
                break;
            }
        }
        Ok(())
    }

    /// Waits for the rest of the echo after the measurement. Closing a socket with unread data resets
    /// the connection, and the server would report that as an error.
    pub fn finish(&mut self, socket: &TcpStream, buffer: &mut [u8]) -> Result {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(FINISH_TIMEOUT))?;
        self.send(socket)?;
        while !self.is_echoed() {
            let echoed = self.echoed;
            self.receive(socket, buffer)?;
            if self.echoed == echoed {
                return Err(format!("{:?}: no echo within {FINISH_TIMEOUT:?}", self.tag).into());
            }
        }
        Ok(())
    }
}
