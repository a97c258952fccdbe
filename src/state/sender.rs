//! Sending to a client from outside its handler.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::panics::catch_panic_io;
use crate::state::broadcast::send_to_all;
use crate::state::live_connection::{LiveConnection, Recipient};

/// Sends to a client from outside its handler: from other threads, or from handlers of other clients.
/// From [`Request::sender`](crate::Request::sender). Cheap to clone.
///
/// **Streams**: the bytes of one [`send_all`](Self::send_all) do not mix with what the handler or other
/// senders send at the same time. A sender does not keep the connection open: when the handler has
/// returned, sending fails. **Datagrams**: each `send_all` sends one datagram to the client. This works as
/// long as the server exists.
///
/// ```
/// use socketserver::prelude::*;
/// use std::sync::Mutex;
///
/// // Every line goes to every client.
/// let members: Mutex<Vec<Sender>> = Mutex::default();
/// let chat = handler_fn(move |request: &mut TcpRequest| {
///     members.lock().unwrap().push(request.sender());
///     while let Some(line) = request.next_line(1000)? {
///         let recipients = members.lock().unwrap().clone();
///         for recipient in recipients {
///             let _ = recipient.send_all(&line); // an error: this client has left
///         }
///     }
///     Ok(())
/// });
/// let server = ThreadingTcpServer::bind("127.0.0.1:0", chat)?.spawn()?;
/// # let mut client = std::net::TcpStream::connect(server.server_address())?;
/// # client.write_all(b"hello\n")?;
/// # let mut received = [0; 6];
/// # client.read_exact(&mut received)?;
/// # assert_eq!(&received, b"hello\n");
/// # drop(client);
/// # Ok::<(), BoxError>(())
/// ```
///
/// If a client does not read, `send_all` waits: at most for the
/// [`write_timeout`](crate::ServerOptions::write_timeout) of the server, or for the
/// [timeout](crate::Request::set_timeout) of the request.
#[derive(Clone)]
#[doc(alias = "broadcast")]
#[doc(alias = "chat")]
pub struct Sender(Client);

#[derive(Clone)]
enum Client {
    /// Weak, so that a sender that is kept does not keep the connection open.
    Stream(Weak<dyn LiveConnection>),
    Datagram(Arc<dyn Recipient>),
}

impl Sender {
    pub(crate) fn stream(client: Weak<dyn LiveConnection>) -> Self {
        Self(Client::Stream(client))
    }

    pub(crate) fn datagram(client: Arc<dyn Recipient>) -> Self {
        Self(Client::Datagram(client))
    }

    /// Closes the connection, like [`Request::close`](crate::Request::close): the handler reads the bytes
    /// that have arrived and then the end of the stream, and its writes fail. Does nothing if the request
    /// has ended, and nothing for a datagram.
    ///
    /// > **Coming from Python.** `other.request.shutdown(SHUT_RDWR)`.
    ///
    /// See the [example](Self::send_all_within).
    #[doc(alias = "kick")]
    pub fn close(&self) {
        if let Client::Stream(client) = &self.0
            && let Some(client) = client.upgrade()
        {
            client.shutdown();
        }
    }

    /// Sends all of `data` (text or bytes) to the client.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// `NotConnected` if the client's handler has returned (for a datagram: if the server is closed), or if the
    /// client's handshake is not complete.
    /// Otherwise the errors of [`Request::send_all`](crate::Request::send_all). A handler that returns the
    /// error of another client has failed, even if that client [is gone](crate::DisconnectKind).
    pub fn send_all<D: AsRef<[u8]>>(&self, data: D) -> io::Result<()> {
        let data = data.as_ref();
        match &self.0 {
            Client::Stream(client) => {
                let client = connected(client)?;
                // A panic in another client's socket must not unwind into the caller.
                catch_panic_io("sending", io::ErrorKind::Other, || client.send_all(data))
            }
            Client::Datagram(client) => client.send_all(data),
        }
    }

    /// Sends all of `data` within `timeout`, which replaces the client's own timeout. If the client has
    /// received only a part by then, its connection is closed, because the next message would begin in the
    /// middle of this one. Over TLS, a message of at most 16 KiB can still arrive later, whole. With zero, sends what the socket has space for; with [`Duration::MAX`], waits without
    /// limit. A datagram is sent without waiting.
    ///
    /// [`ServerHandle::broadcast`](crate::ServerHandle::broadcast) sends to many clients at the same time.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     let sender = request.sender();
    ///     sender.send_all_within("hello", std::time::Duration::from_secs(5))?;
    ///     sender.close();
    ///     Ok(())
    /// });
    /// assert_eq!(converse(service, "")?, b"hello");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `TimedOut` if the client has not received all of it in time. Otherwise the errors of
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
    let client = client.upgrade().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotConnected,
            "the connection of this client is closed",
        )
    })?;
    client.connection_state().check_admitted()?;
    Ok(client)
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

/// Implements [`Write::write_fmt`] for an unbuffered writer: formats the whole text first and sends it in one
/// piece, because the default implementation sends each fragment as a packet of its own.
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
