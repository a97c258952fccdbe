//! Clients as seen from outside their handlers.

use std::io;

use crate::address::SocketAddress;
use crate::state::ConnectionState;
use crate::sys::fd::BorrowedFd;

/// A client to which messages can be sent.
pub(crate) trait Recipient: Send + Sync {
    /// Sends all of `data`. Messages of other senders do not mix with it.
    fn send_all(&self, data: &[u8]) -> io::Result<()>;
}

/// A connection in the registry of its server.
pub(crate) trait LiveConnection: Recipient {
    fn connection_state(&self) -> &ConnectionState;

    fn client_address(&self) -> SocketAddress;

    /// Ends all present and future reads and writes of this connection.
    fn shutdown(&self);

    /// Shuts the connection down because the server stops. The handler gets a
    /// [`ShuttingDown`](crate::ShuttingDown) error. Does nothing once the handler has ended, unless the
    /// connection lingers.
    fn force_close(&self);

    /// Ends the connection for reading if its handler waits for the client's next message.
    fn end_idle(&self);

    /// Prepares sending a message without waiting.
    fn deliver<'a>(&'a self, data: &'a [u8]) -> Box<dyn Delivery + 'a>;
}

/// A message that is being sent to one client without waiting.
pub(crate) trait Delivery: Send {
    /// Sends as much as possible without waiting.
    fn advance(&mut self) -> io::Result<Progress>;

    /// Descriptor that becomes writable when the client accepts more bytes. `None`: there is none to wait
    /// for.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// Stops sending. Closes a client that has received a part of the message.
    fn cancel(&self);
}

/// Progress of a [`Delivery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// The socket's buffer is full because the client does not read.
    BufferFull,
    /// Another sender is sending to this client.
    Locked,
}
