//! The load: one thread, an epoll set, every byte of every echo compared.
//!
//! One thread, because the server has the other core; epoll, because a load that spends
//! more on an operation than the server does would measure itself.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent};

use crate::Result;
use crate::payload::Tag;

pub mod churn;
pub mod streams;
pub mod udp;

/// How long to sleep at most before looking at the clock, in milliseconds.
const TICK: u16 = 20;

/// How long to wait for the echoes that are on their way at the end.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// How many events one wait takes.
const EVENTS: usize = 256;

fn new_epoll() -> Result<(Epoll, [EpollEvent; EVENTS])> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    Ok((epoll, [EpollEvent::empty(); EVENTS]))
}

/// `None` for "not now", as opposed to an error.
fn now_or_never(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// One message on its way to the server and back over a stream.
struct Exchange {
    tag: Tag,
    message: Vec<u8>,
    sent: usize,
    echoed: usize,
}

impl Exchange {
    /// Nothing to do yet: `next` makes the first message.
    fn new(source: u32, size: usize) -> Self {
        Self {
            tag: Tag {
                source,
                sequence: 0,
            },
            message: vec![0; size],
            sent: 0,
            echoed: 0,
        }
    }

    /// Leave an empty one behind, so that the next connection reuses the buffer.
    fn take(&mut self) -> Self {
        let empty = Self::new(self.tag.source, 0);
        std::mem::replace(self, empty)
    }

    fn next(&mut self) {
        self.tag.sequence = self.tag.sequence.wrapping_add(1);
        self.tag.fill(&mut self.message);
        self.sent = 0;
        self.echoed = 0;
    }

    fn is_sent(&self) -> bool {
        self.sent == self.message.len()
    }

    fn is_echoed(&self) -> bool {
        self.echoed == self.message.len()
    }

    /// Send as much of the message as the socket takes now.
    fn send(&mut self, mut socket: &TcpStream) -> Result {
        while !self.is_sent() {
            let Some(bytes) = now_or_never(socket.write(&self.message[self.sent..]))? else {
                break;
            };
            self.sent += bytes;
        }
        Ok(())
    }

    /// Receive what has come of the echo, and compare it.
    ///
    /// A read that fills less than it was given has emptied the socket, so the common case
    /// is one system call: with edge-triggered events, whatever comes later is a new event.
    fn receive(&mut self, mut socket: &TcpStream, buffer: &mut [u8]) -> Result {
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
    fn finish(&mut self, socket: &TcpStream, buffer: &mut [u8]) -> Result {
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
