//! TCP echo with mio, one thread: what `c/tcp_epoll.c` does, with mio's edge-triggered events.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use peer_listener::BUFFER_SIZE;

const LISTENER: Token = Token(usize::MAX);

struct Connection {
    stream: TcpStream,
    /// The rest of a reply that does not go out yet; until it has, nothing is read.
    pending: Vec<u8>,
}

/// `None` for "not now", as opposed to an error.
fn now_or_never<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many bytes go out now.
fn send_some(mut stream: &TcpStream, data: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < data.len() {
        match now_or_never(stream.write(&data[sent..]))? {
            Some(bytes) => sent += bytes,
            None => break,
        }
    }
    Ok(sent)
}

impl Connection {
    /// Echo until there is nothing to read or no room to write; false at the end of the file.
    fn advance(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let sent = send_some(&self.stream, &self.pending)?;
        self.pending.drain(..sent);
        while self.pending.is_empty() {
            let Some(received) = now_or_never(self.stream.read(buffer))? else {
                break;
            };
            if received == 0 {
                return Ok(false);
            }
            let sent = send_some(&self.stream, &buffer[..received])?;
            self.pending.extend_from_slice(&buffer[sent..received]);
            // The socket is empty: whatever comes later is a new event.
            if received < buffer.len() {
                break;
            }
        }
        Ok(true)
    }
}

/// The connections by the number that their events carry.
#[derive(Default)]
struct Connections {
    slots: Vec<Option<Connection>>,
    free: Vec<usize>,
}

impl Connections {
    fn accept_all(&mut self, listener: &TcpListener, registry: &Registry) -> io::Result<()> {
        while let Some((mut stream, _)) = now_or_never(listener.accept())? {
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
        // An error ends the connection, as the end of the file does.
        if !connection.advance(buffer).unwrap_or(false) {
            self.slots[slot] = None;
            self.free.push(slot);
        }
    }
}

fn main() -> io::Result<()> {
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
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
