//! A client: what it has said, and what it has heard.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socketserver::UnixAddress;
use socketserver::transport::{Stream, Tcp, UnixStream};

use super::schedule::FAREWELLS;
use super::talk::{Fate, Script};
use crate::support::net::*;

/// A transport whose clients do not wait longer than they may for a server that closes.
pub(crate) trait Visited: Connected + Stream {
    /// Whether somebody may still be let in by the kernel, in the middle of a handshake, while it is told
    /// to let nobody in, and is reset then.
    const CAN_SLIP_IN: bool;

    fn visit(server: &Self::Address, timeout: Duration) -> io::Result<Client>;
}

impl Visited for Tcp {
    const CAN_SLIP_IN: bool = false;

    fn visit(server: &SocketAddr, timeout: Duration) -> io::Result<Client> {
        TcpStream::connect_timeout(server, timeout).map(Client::new)
    }
}

impl Visited for UnixStream {
    const CAN_SLIP_IN: bool = false;

    fn visit(server: &UnixAddress, _: Duration) -> io::Result<Client> {
        Self::try_connect(server)
    }
}

#[derive(Debug)]
pub(crate) struct Guest {
    /// `None` once it has left, in whatever way.
    client: Option<Client>,
    sent: Vec<u8>,
    heard: Vec<u8>,
    /// It sends no more.
    over: bool,
    /// It has said something that perhaps nobody has read, or may be turned away like that: the end may
    /// then be a reset.
    may_be_reset: bool,
    was_reset: bool,
}

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lot {
    /// Its handler has said goodbye.
    Served,
    /// It has read that it cannot be served.
    Refused,
    /// It has read the end, before the end of its conversation. So the server has refused it, or cut it
    /// off, or its handler has failed.
    CutShort(Fate),
    /// It is not known: it has left, or may have lost what was sent last.
    Unknown,
}

impl Guest {
    pub(crate) fn new(client: Client, may_be_reset: bool) -> Self {
        Self {
            client: Some(client),
            sent: Vec::new(),
            heard: Vec::new(),
            over: false,
            may_be_reset,
            was_reset: false,
        }
    }

    /// `may_be_ignored`: perhaps nobody is there any more who would read it.
    pub(crate) fn say(&mut self, data: &[u8], may_be_ignored: bool) {
        let Some(client) = &self.client else { return };
        if self.over || data.is_empty() {
            return;
        }
        self.may_be_reset |= may_be_ignored;
        self.sent.extend(data);
        if let Err(error) = client.try_send(data) {
            self.lost(&error);
        }
    }

    /// Its conversation may be over now, whatever it says.
    pub(crate) fn is_disturbed(&mut self) {
        self.may_be_reset = true;
    }

    fn lost(&mut self, error: &io::Error) {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => self.was_reset = true,
            _ => panic!("{error}: {:?}", self.sent.escape_ascii().to_string()),
        }
    }

    /// Reads what is there.
    pub(crate) fn listen(&mut self) {
        while let Some(client) = &self.client {
            match client.try_receive_now() {
                Ok(Some(data)) if !data.is_empty() => self.heard.extend(data),
                Ok(_) => return,
                Err(error) => return self.lost(&error),
            }
        }
    }

    pub(crate) fn half_close(&mut self) {
        if let Some(client) = &self.client {
            self.over = true;
            // It fails if the server has reset the connection, as reading will show.
            let _ = client.socket().shutdown(Shutdown::Write);
        }
    }

    /// Children of this process may have copies of the socket, so closing it is not enough.
    pub(crate) fn leave(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = client.socket().shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn reset(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = client.socket().set_linger(Some(Duration::ZERO));
        }
    }

    /// Reads to the end, which must come, and must be what is due to it.
    pub(crate) fn settle(mut self) -> Lot {
        let Some(client) = &self.client else {
            return Lot::Unknown;
        };
        loop {
            match client.try_receive() {
                Ok(data) if data.is_empty() => break,
                Ok(data) => self.heard.extend(data),
                Err(error) => break self.lost(&error),
            }
        }
        let script = Script::of(&self.sent, self.over);
        let told = || {
            let heard = &self.heard[..self.heard.len().min(200)];
            format!(
                "to {:?} it was answered {:?}, {} bytes",
                self.sent.escape_ascii().to_string(),
                heard.escape_ascii().to_string(),
                self.heard.len()
            )
        };
        let is_reset_due = self.may_be_reset || script.unread > 0;
        assert!(
            !self.was_reset || is_reset_due,
            "reset for no reason: {}",
            told()
        );
        let turned_away = FAREWELLS.contains(&&self.heard[..]);
        assert!(
            turned_away || script.answers.starts_with(&self.heard),
            "{}",
            told()
        );
        if turned_away {
            Lot::Refused
        } else if script.fate == Fate::Completes && self.heard.len() == script.answers.len() {
            Lot::Served
        } else if self.was_reset {
            Lot::Unknown
        } else {
            Lot::CutShort(script.fate)
        }
    }
}

/// The datagrams that are there.
pub(crate) fn receive_now(client: &Client) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    loop {
        match client.try_receive_now() {
            Ok(Some(datagram)) => datagrams.push(datagram),
            Ok(None) => return datagrams,
            // The server is closed, and something was sent to it.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => panic!("{error}"),
        }
    }
}
