//! Writing to a client from somewhere else.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::panics::catch_panic_io;
use crate::state::broadcast::{Delivery, send_to_all};
use crate::state::{ConnectionState, RequestInfo};

/// A live client, seen from outside its handler.
pub(crate) trait Live: Send + Sync {
    /// Sends all of `data`, not mixed with what others send.
    fn send_all(&self, data: &[u8]) -> io::Result<()>;

    /// Ends every read and write that waits on this client, now and later.
    fn interrupt(&self);
}

/// A live connection, as the server sees it that cuts it in the end.
pub(crate) trait LiveConnection: Live {
    fn connection_state(&self) -> &ConnectionState;

    fn info(&self) -> RequestInfo;

    /// [`interrupt`](Live::interrupt)s it, so that its handler is told that the server did that to stop;
    /// unless the handler has ended.
    fn cut(&self);

    /// Begins to send a message, without waiting.
    fn deliver<'a>(&'a self, data: &'a [u8]) -> Box<dyn Delivery + 'a>;
}

/// Writes to a client from outside its handler: from other threads, from the handlers of other
/// clients. Made by [`Request::sender`](crate::Request::sender); cheap to clone.
///
/// To a stream, each [`send_all`](Self::send_all) arrives in one piece: it is not mixed with what
/// the handler or other senders send at the same time. It does not keep the connection open: once
/// the handler has returned, sending fails. To a datagram's client, each `send_all` is one
/// datagram, and works for as long as the server exists.
///
/// ```
/// use socketserver::prelude::*;
/// use std::sync::Mutex;
///
/// // Everybody hears what anybody says.
/// let members: Mutex<Vec<Sender>> = Mutex::default();
/// let chat = handler_fn(move |request: &mut TcpRequest| {
///     members.lock().unwrap().push(request.sender());
///     while let Some(line) = request.next_line(1000)? {
///         let listeners = members.lock().unwrap().clone();
///         for listener in listeners {
///             let _ = listener.send_all(&line); // an error: that one has left
///         }
///     }
///     Ok(())
/// });
/// let server = ThreadingTcpServer::bind("127.0.0.1:0", chat)?.spawn()?;
/// # let mut client = std::net::TcpStream::connect(server.server_address())?;
/// # client.write_all(b"hello\n")?;
/// # let mut heard = [0; 6];
/// # client.read_exact(&mut heard)?;
/// # assert_eq!(&heard, b"hello\n");
/// # drop(client);
/// # Ok::<(), BoxError>(())
/// ```
///
/// A client that does not read holds up whoever sends to it, for as long as the
/// [`write_timeout`](crate::ServerOptions::write_timeout) of the server, or the
/// [timeout](crate::Request::set_timeout) of the request, says.
#[derive(Clone)]
#[doc(alias = "broadcast")]
#[doc(alias = "chat")]
pub struct Sender(Client);

#[derive(Clone)]
enum Client {
    /// Weak, so that a forgotten sender does not keep a connection open.
    Stream(Weak<dyn LiveConnection>),
    Datagram(Arc<dyn Live>),
}

impl Sender {
    pub(crate) fn stream(client: Weak<dyn LiveConnection>) -> Self {
        Self(Client::Stream(client))
    }

    pub(crate) fn datagram(client: Arc<dyn Live>) -> Self {
        Self(Client::Datagram(client))
    }

    /// Ends the client's conversation, as [`Request::close`](crate::Request::close) does: its
    /// handler reads the end of the stream, after what had arrived before, and cannot write any more.
    /// Python:
    /// `other.request.shutdown(SHUT_RDWR)`. Does nothing for a client that has left, and for the
    /// client of a datagram, which has no conversation to end.
    #[doc(alias = "kick")]
    pub fn close(&self) {
        if let Client::Stream(client) = &self.0
            && let Some(client) = client.upgrade()
        {
            client.interrupt();
        }
    }

    /// Sends all of `data` (a text, bytes) to the client.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the client's handler has returned (for a datagram: the server is
    /// closed); else what [`Request::send_all`](crate::Request::send_all) can return.
    pub fn send_all<D: AsRef<[u8]>>(&self, data: D) -> io::Result<()> {
        let data = data.as_ref();
        match &self.0 {
            Client::Stream(client) => {
                let client = connected(client)?;
                // The panic of another client's socket is not one of whoever sends.
                catch_panic_io("sending", io::ErrorKind::Other, || client.send_all(data))
            }
            Client::Datagram(client) => client.send_all(data),
        }
    }

    /// The same, but it takes at most `timeout`, whatever the client's own timeout is. A client that has
    /// taken only a part by then is closed, because what would come next could only confuse it. (A
    /// datagram does not wait.)
    ///
    /// For many clients at once there is [`ServerHandle::broadcast`](crate::ServerHandle::broadcast).
    ///
    /// # Errors
    ///
    /// `TimedOut` if the client has not taken all of it in time; else as for
    /// [`send_all`](Self::send_all).
    pub fn send_all_within<D: AsRef<[u8]>>(&self, data: D, timeout: Duration) -> io::Result<()> {
        let data = data.as_ref();
        match &self.0 {
            Client::Stream(client) => {
                let results = send_to_all(&[connected(client)?], data, timeout);
                results.into_iter().collect()
            }
            Client::Datagram(client) => client.send_all(data),
        }
    }
}

fn connected(client: &Weak<dyn LiveConnection>) -> io::Result<Arc<dyn LiveConnection>> {
    client
        .upgrade()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the client has left"))
}

impl Write for Sender {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.send_all(data)?;
        Ok(data.len())
    }

    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        write_formatted(text, |data| self.send_all(data))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Client::Stream(_) => "Sender(stream)",
            Client::Datagram(_) => "Sender(datagram)",
        })
    }
}

/// What `write!` does on an unbuffered writer: format first, then send in one piece. (The default
/// would make a packet of each fragment.)
pub(crate) fn write_formatted(
    text: fmt::Arguments<'_>,
    send: impl FnOnce(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    if let Some(text) = text.as_str() {
        return send(text.as_bytes());
    }
    let mut formatted = String::new();
    match fmt::write(&mut formatted, text) {
        Ok(()) => send(formatted.as_bytes()),
        Err(fmt::Error) => Err(io::Error::other(
            "a Display implementation returned an error",
        )),
    }
}
