//! A client that records the data it has sent and received.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

#[cfg(unix)]
use socketserver::transport::UnixStream;
use socketserver::transport::{Stream, Tcp};
use socketserver::{Error, Sequential, UnixAddress};

use super::protocol::{Expected, HandlerState};
use super::schedule::{CLOSING_MESSAGE, OVERLOAD_MESSAGE};
use super::server::{TestOptions, TestServer, TestService};
use crate::support::net::*;

/// A transport whose clients can connect while, and after, the server is closed.
pub(crate) trait Scheduled: Connected + Stream {
    /// Binds to an address that no other test uses. A server of another test that got the address
    /// would accept the clients that connect after the close.
    fn bind_alone(
        dir: &TempDir,
        options: TestOptions<Self>,
        service: TestService<Self>,
    ) -> Result<TestServer<Self, Sequential>, Error>;

    /// Connects a client, within this time also if the server is being closed.
    fn connect_timeout(server: &Self::Address, timeout: Duration) -> io::Result<Client>;
}

impl Scheduled for Tcp {
    fn bind_alone(
        _: &TempDir,
        options: TestOptions<Self>,
        service: TestService<Self>,
    ) -> Result<TestServer<Self, Sequential>, Error> {
        options.bind(own_loopback(), service)
    }

    fn connect_timeout(server: &SocketAddr, timeout: Duration) -> io::Result<Client> {
        TcpStream::connect_timeout(server, timeout).map(Client::new)
    }
}

impl Scheduled for UnixStream {
    fn bind_alone(
        dir: &TempDir,
        options: TestOptions<Self>,
        service: TestService<Self>,
    ) -> Result<TestServer<Self, Sequential>, Error> {
        Self::bind(dir, options, service)
    }

    fn connect_timeout(server: &UnixAddress, _: Duration) -> io::Result<Client> {
        Self::try_connect(server)
    }
}

#[derive(Debug)]
pub(crate) struct RecordingClient {
    /// `None` after the client has closed or reset the connection.
    client: Option<Client>,
    sent: Vec<u8>,
    received: Vec<u8>,
    half_closed: bool,
    /// Whether the connection may end with a reset: it may be rejected by one, or the handler may end
    /// before it has read all data.
    may_be_reset: bool,
    was_reset: bool,
}

/// The end of a connection, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The client has received all answers of a handler that has completed.
    Served,
    /// The client has received a rejection message.
    Rejected,
    /// The client has read the end of the stream before the final answer: the connection was rejected or
    /// force-closed, or its handler has failed. Contains the state that the handler would have reached.
    EndedEarly(HandlerState),
    /// The client has closed the connection first, or a reset may have discarded the last answers.
    Unknown,
}

impl RecordingClient {
    pub(crate) fn new(client: Client, may_be_reset: bool) -> Self {
        Self {
            client: Some(client),
            sent: Vec::new(),
            received: Vec::new(),
            half_closed: false,
            may_be_reset,
            was_reset: false,
        }
    }

    /// `may_be_unread`: whether the handler may end, or may have ended, without reading this data.
    pub(crate) fn send(&mut self, data: &[u8], may_be_unread: bool) {
        let Some(client) = &self.client else { return };
        if self.half_closed || data.is_empty() {
            return;
        }
        self.may_be_reset |= may_be_unread;
        self.sent.extend(data);
        if let Err(error) = client.try_send(data) {
            self.record_reset(&error);
        }
    }

    /// Allows the connection to end with a reset.
    pub(crate) fn allow_reset(&mut self) {
        self.may_be_reset = true;
    }

    fn record_reset(&mut self, error: &io::Error) {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => self.was_reset = true,
            _ => panic!("{error}: {:?}", self.sent.escape_ascii().to_string()),
        }
    }

    /// Reads the data that has arrived.
    pub(crate) fn read(&mut self) {
        while let Some(client) = &self.client {
            match client.try_receive_now() {
                Ok(Some(data)) if !data.is_empty() => self.received.extend(data),
                Ok(_) => return,
                Err(error) => return self.record_reset(&error),
            }
        }
    }

    pub(crate) fn half_close(&mut self) {
        if let Some(client) = &self.client {
            self.half_closed = true;
            // Fails if the server has reset the connection, which the next read reports.
            let _ = client.socket().shutdown(Shutdown::Write);
        }
    }

    /// Ends the connection. Closing the socket is not enough, because child processes of this process may
    /// have copies of it.
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

    /// Reads to the end of the stream, which has to come, and checks the answers and the kind of end.
    pub(crate) fn finish(mut self) -> Outcome {
        let Some(client) = &self.client else {
            return Outcome::Unknown;
        };
        loop {
            match client.try_receive() {
                Ok(data) if data.is_empty() => break,
                Ok(data) => self.received.extend(data),
                Err(error) => break self.record_reset(&error),
            }
        }
        let expected = Expected::of(&self.sent, self.half_closed);
        let transcript = || {
            let start = &self.received[..self.received.len().min(200)];
            format!(
                "sent {:?}, received {:?}, {} bytes",
                self.sent.escape_ascii().to_string(),
                start.escape_ascii().to_string(),
                self.received.len()
            )
        };
        let is_reset_allowed = self.may_be_reset || expected.unread > 0;
        assert!(
            !self.was_reset || is_reset_allowed,
            "reset without a reason: {}",
            transcript()
        );
        let is_rejected = [OVERLOAD_MESSAGE, CLOSING_MESSAGE].contains(&&self.received[..]);
        assert!(
            is_rejected || expected.answers.starts_with(&self.received),
            "unexpected answers: {}",
            transcript()
        );
        let is_complete = self.received.len() == expected.answers.len();
        if is_rejected {
            Outcome::Rejected
        } else if expected.state == HandlerState::Completed && is_complete {
            Outcome::Served
        } else if self.was_reset {
            Outcome::Unknown
        } else {
            Outcome::EndedEarly(expected.state)
        }
    }
}
