//! One connection, as senders, broadcasts and a stop see it.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use crate::address::SocketAddress;
use crate::coroutine::fair_mutex::FairMutexGuard;
use crate::panics::catch_panic;
use crate::request::connection::Connection;
use crate::request::stream_socket::StreamSocket;
use crate::state::ConnectionState;
use crate::state::live_connection::{Delivery, LiveConnection, Progress};
use crate::sys::fd::BorrowedFd;
use crate::sys::transfer;

impl<S: StreamSocket> LiveConnection for Connection<S> {
    fn connection_state(&self) -> &ConnectionState {
        &self.state
    }

    fn client_address(&self) -> SocketAddress {
        self.client_address().clone().into()
    }

    fn shutdown(&self) {
        // Fails if the client is gone; then there is nothing to end.
        let _ = catch_panic(|| self.socket.shutdown(Shutdown::Both));
    }

    fn force_close(&self) {
        // An ended connection may belong to a child process by now, which a shutdown would end too.
        if self.state.mark_force_closed() || self.state.is_lingering() {
            self.shutdown();
        }
    }

    fn end_idle(&self) {
        if !self.state.is_idle() {
            return;
        }
        // A message has arrived, at least in part, and the handler reads it. Its next wait for a message comes here
        // again.
        let has_input = || self.socket.has_incomplete_input() || self.end_of_reads_loses_input();
        if catch_panic(has_input) == Ok(true) {
            return;
        }
        if self.state.end_idle() {
            // Fails if the client is gone.
            let _ = catch_panic(|| self.socket.shutdown(Shutdown::Read));
        }
    }

    fn deliver<'a>(&'a self, data: &'a [u8]) -> Box<dyn Delivery + 'a> {
        Box::new(BroadcastMessage {
            connection: self,
            data,
            sent: 0,
            sending: None,
        })
    }
}

impl<S: StreamSocket> Connection<S> {
    /// Returns whether a shutdown of the reads would lose input that has arrived.
    fn end_of_reads_loses_input(&self) -> bool {
        let descriptor = self.socket.descriptor();
        descriptor.is_some_and(transfer::shutdown_discards_input)
    }
}

/// One message of a broadcast, sent without waiting, in as many steps as the client needs.
struct BroadcastMessage<'a, S: StreamSocket> {
    connection: &'a Connection<S>,
    data: &'a [u8],
    sent: usize,
    /// Held from the first byte to the last.
    sending: Option<FairMutexGuard<'a>>,
}

impl<S: StreamSocket> Delivery for BroadcastMessage<'_, S> {
    fn advance(&mut self) -> io::Result<Progress> {
        let connection = self.connection;
        if self.sending.is_none() {
            self.sending = connection.sending.lock(|| Some(Duration::ZERO));
        }
        if self.sending.is_none() {
            return Ok(Progress::Locked);
        }
        while self.sent < self.data.len() {
            match connection.socket.try_send(&self.data[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    connection.record_sent(sent);
                    self.sent += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::BufferFull);
                }
                Err(error) => return Err(connection.mark_disconnect(error)),
            }
        }
        Ok(Progress::Done)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.connection.socket.descriptor()
    }

    fn cancel(&self) {
        let rest = &self.data[self.sent..];
        let sent = self.sent + self.connection.socket.begun(rest);
        // After a part of a message, the client would take the next message for the rest of it.
        if (1..self.data.len()).contains(&sent) {
            self.connection.shutdown();
        }
    }
}
