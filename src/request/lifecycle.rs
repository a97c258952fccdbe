//! What the server does with a request, whatever its transport.

use std::io;
use std::os::fd::BorrowedFd;

use crate::state::{ConnectionState, Rejection};

/// The server's side of a request. It seals [`Request`](super::Request): requests of other sockets are
/// [`StreamRequest`](super::StreamRequest)s and [`DatagramRequest`](super::DatagramRequest)s too.
pub trait RequestLifecycle {
    /// The descriptor of a connection that belongs to this request alone until its end.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// The state of a connection that is visible outside its handler.
    fn connection_state(&self) -> Option<&ConnectionState> {
        None
    }

    /// Sends the collected reply, if there is one: called once, after the handler succeeded.
    fn reply(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Ends the request in order, before it is dropped. A stream tells its client that no more bytes
    /// follow; dropping alone does not, because a forking parent drops its copy.
    fn shutdown_request(&mut self);

    /// Rejects the client, without waiting, and ends the request.
    fn reject(&mut self, rejection: &Rejection);
}
