//! The methods of a request that only the server calls.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use crate::request::{ConnectionInfo, HandshakeStep};
use crate::state::{ConnectionState, Rejection};
use crate::sys::fd::BorrowedFd;

/// The server's side of a request. It seals [`Request`](crate::Request), because programs cannot name
/// it: requests of other sockets are [`StreamRequest`](crate::StreamRequest)s and
/// [`DatagramRequest`](crate::DatagramRequest)s too.
pub trait RequestLifecycle {
    /// The descriptor of a connection, if the request is its only owner until it is dropped.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns whether a handshake precedes the first message, and is not complete.
    fn needs_handshake(&self) -> bool {
        false
    }

    /// Returns whether the header of a proxy is going to tell the client's address.
    fn awaits_client_address(&self) -> bool {
        false
    }

    /// After the handshake, returns the client's address if the checks of it were put off. Returns it once.
    fn take_awaited_address(&self) -> Option<IpAddr> {
        None
    }

    /// Returns the error of a connection that has turned out to begin with a header that it must not have.
    fn forbidden_header(&self) -> Option<io::Error> {
        None
    }

    /// Advances the handshake without waiting.
    fn advance_handshake(&mut self) -> io::Result<HandshakeStep> {
        Ok(HandshakeStep::Done)
    }

    /// Time when the handshake has to be advanced, whatever the client does.
    fn next_handshake_check(&self) -> Option<Instant> {
        None
    }

    /// Completes the handshake, and waits for the client meanwhile.
    fn complete_handshake(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The state that the server and its handles see while the handler runs. `None` for a datagram.
    fn connection_state(&self) -> Option<&ConnectionState> {
        None
    }

    /// Adds what the connection says about its client.
    fn complete_info(&self, info: ConnectionInfo) -> ConnectionInfo {
        info
    }

    /// Records by which listener of the server the request has come, from 0 on.
    fn set_listener(&mut self, number: usize);

    /// Number of the listener by which the request has come.
    fn listener(&self) -> usize;

    /// Sends the collected reply, if there is one. Called once, after the handler has succeeded.
    fn reply(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Ends the request in order, before it is dropped: the client of a stream reads its end, which tells it whether
    /// the reply is complete, if the protocol can. A drop alone only closes the descriptor, because a forking parent
    /// drops its copy while the child serves.
    fn shutdown_request(&mut self, is_complete: bool);

    /// Rejects the client without waiting, and ends the request.
    fn reject(&mut self, rejection: &Rejection);
}
