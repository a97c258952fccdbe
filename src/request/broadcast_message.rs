//! One message of a broadcast, on its way to one client.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::coroutine::fair_mutex::FairMutexGuard;
use crate::request::connection::Connection;
use crate::request::stream_socket::StreamSocket;
use crate::state::live_connection::{Delivery, LiveConnection, Progress};

/// A message that is sent without waiting, in as many steps as the client needs.
pub(super) struct BroadcastMessage<'a, S: StreamSocket> {
    connection: &'a Connection<S>,
    data: &'a [u8],
    sent: usize,
    /// Held from the first byte to the last.
    sending: Option<FairMutexGuard<'a>>,
}

impl<'a, S: StreamSocket> BroadcastMessage<'a, S> {
    pub(super) fn new(connection: &'a Connection<S>, data: &'a [u8]) -> Self {
        Self {
            connection,
            data,
            sent: 0,
            sending: None,
        }
    }
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
        // After a part of a message, the client would take the next message for the rest of it.
        if (1..self.data.len()).contains(&self.sent) {
            self.connection.shutdown();
        }
    }
}
