//! TCP echo with mio and one thread, like `c/tcp_epoll.c` but with edge-triggered events.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use peer_listener::BUFFER_SIZE;

const LISTENER: Token = Token(usize::MAX);

struct Connection {
    stream: TcpStream,
    /// The unsent part of a reply. While there is one, nothing is read.
    pending: Vec<u8>,
}

/// Converts `WouldBlock` to `None`.
fn unless_blocked<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sends until the socket buffer is full. Returns the number of bytes sent.
fn send_some(mut stream: &TcpStream, data: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < data.len() {
        match unless_blocked(stream.write(&data[sent..]))? {
            Some(bytes) => sent += bytes,
            None => break,
        }
    }
    Ok(sent)
}

impl Connection {
    /// Echoes until reading or writing would block. Returns false at the end of the stream.
    fn advance(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let sent = send_some(&self.stream, &self.pending)?;
        self.pending.drain(..sent);
        while self.pending.is_empty() {
            let Some(received) = unless_blocked(self.stream.read(buffer))? else {
                break;
            };
            if received == 0 {
                return Ok(false);
            }
            let sent = send_some(&self.stream, &buffer[..received])?;
            self.pending.extend_from_slice(&buffer[sent..received]);
            // A partial read has emptied the socket, so later bytes cause a new event.
            if received < buffer.len() {
                break;
            }
        }
        Ok(true)
    }
}

/// The connections, indexed by the token of their events.
#[derive(Default)]
struct Connections {
    slots: Vec<Option<Connection>>,
    free: Vec<usize>,
}

impl Connections {
    fn accept_all(&mut self, listener: &TcpListener, registry: &Registry) -> io::Result<()> {
        while let Some((mut stream, _)) = unless_blocked(listener.accept())? {
            let slot = self.free.pop().unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            registry.register(&mut stream, Token(slot), interest)?;
            self.slots[slot] = Some(Connection {
                stream,
                pending: Vec::new(),
            });
        }
        Ok(())
    }

    fn advance(&mut self, slot: usize, buffer: &mut [u8]) {
        let Some(connection) = &mut self.slots[slot] else {
            return;
        };
        // Closes the connection at the end of the stream and on errors.
        if !connection.advance(buffer).unwrap_or(false) {
            self.slots[slot] = None;
            self.free.push(slot);
        }
    }
}

fn main() -> io::Result<()> {
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("the address is valid"))?;
    peer_listener::announce(&listener)?;
    let mut poll = Poll::new()?;
    let registry = poll.registry();
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;

    let mut connections = Connections::default();
    let mut events = Events::with_capacity(256);
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => connections.accept_all(&listener, poll.registry())?,
                Token(slot) => connections.advance(slot, &mut buffer),
            }
        }
    }
}
