//! One message on its way to the server and back over a stream, in as many parts as it takes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use super::FINISH_TIMEOUT;
use crate::Result;
use crate::payload::Tag;

/// `None` for "not now", as opposed to an error.
pub fn now_or_never(result: io::Result<usize>) -> io::Result<Option<usize>> {
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
    /// Nothing to do yet: `next` makes the first message.
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

    /// Leave an empty one behind, so that the next connection reuses the buffer.
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

    /// Is everything that was sent back?
    pub fn is_answered(&self) -> bool {
        self.echoed == self.sent
    }

    /// Is the whole message back?
    pub fn is_echoed(&self) -> bool {
        self.echoed == self.message.len()
    }

    /// Send as much of the message as the socket takes now.
    pub fn send(&mut self, socket: &TcpStream) -> Result {
        while !self.is_sent() && self.send_part(socket, self.message.len())? {}
        Ok(())
    }

    /// Send some of the message, at most `limit` bytes; false where the socket takes nothing now.
    pub fn send_part(&mut self, mut socket: &TcpStream, limit: usize) -> Result<bool> {
        let end = self.message.len().min(self.sent + limit);
        let bytes = now_or_never(socket.write(&self.message[self.sent..end]))?;
        self.sent += bytes.unwrap_or(0);
        Ok(bytes.is_some())
    }

    /// Receive what has come of the echo, and compare it.
    ///
    /// A read that fills less than it was given has emptied the socket, so the common case
    /// is one system call: with edge-triggered events, whatever comes later is a new event.
    pub fn receive(&mut self, mut socket: &TcpStream, buffer: &mut [u8]) -> Result {
        while !self.is_echoed() {
            // One byte more than is due: an echo that is too long must not go unseen.
            let room = (self.message.len() - self.echoed + 1).min(buffer.len());
            let Some(bytes) = now_or_never(socket.read(&mut buffer[..room]))? else {
                break;
            };
            if bytes == 0 {
                return Err(format!("{:?}: the server closed the connection", self.tag).into());
            }
            let end = self.message.len().min(self.echoed + bytes);
            self.tag
                .check(&buffer[..bytes], &self.message[self.echoed..end])?;
            self.echoed = end;
            if bytes < room {
                break;
            }
        }
        Ok(())
    }

    /// Wait for the rest of the echo, when nothing is measured any more. A socket closed with
    /// unread data resets the connection, and the server would report that as an error.
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
