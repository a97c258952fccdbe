//! One connection: reads, writes and timeouts.

use std::io;
use std::time::{Duration, Instant};

use crate::coroutine::fair_mutex::{FairMutex, FairMutexGuard};
use crate::coroutine::stream_io;
use crate::disconnect::{ClientGone, ShuttingDown};
use crate::panics::CatchDropPanic;
use crate::request::direction::timed_out;
use crate::request::pending_io::PendingIo;
#[cfg(feature = "proxy-protocol")]
use crate::request::proxy_state::ProxyState;
use crate::request::stream_socket::StreamSocket;
use crate::request::timeouts::ConnectionTimeouts;
use crate::state::live_connection::{LiveConnection, Recipient};
use crate::state::{Activity, Registration};
use crate::sys::child_channel::close_notice;
use crate::sys::disconnect;
use crate::sys::poll::{Direction, wait_readable};
use crate::timeout::TimeoutKind;

/// Size in bytes up to which a write does not read the clock before its first attempt, because most
/// such writes are complete after it.
const SHORT_WRITE: usize = 1024;

/// One connection, shared by the two halves of its request. [`Sender`](crate::Sender)s and the server's
/// registry hold it weakly, so that it closes when the request ends.
pub(super) struct Connection<S: StreamSocket> {
    pub(super) socket: CatchDropPanic<S>,
    /// The address from which the connection has come.
    pub(super) peer_address: S::Address,
    #[cfg(feature = "proxy-protocol")]
    pub(super) proxy: ProxyState<S::Address>,
    /// Held while a message is sent, so that messages of the handler and of senders do not mix.
    pub(super) sending: FairMutex,
    /// `None`: the only timeouts are those of the socket.
    pub(super) timeouts: Option<ConnectionTimeouts>,
    /// Declared, and so dropped, after the socket: its drop reports that a descriptor is free.
    pub(super) state: Registration,
}

impl<S: StreamSocket> Connection<S> {
    /// The address of the client, which a proxy may have told.
    pub(super) fn client_address(&self) -> &S::Address {
        #[cfg(feature = "proxy-protocol")]
        if let Some(client_address) = self.proxy.client_address() {
            return client_address;
        }
        &self.peer_address
    }

    pub(super) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self.read_within_timeouts(|| {
            let read = || retry_interrupted(|| self.socket.recv(buffer));
            self.state.during(Activity::Reading, read)
        });
        #[cfg(feature = "proxy-protocol")]
        if let Ok(size) = received {
            self.proxy.check_start(&buffer[..size])?;
        }
        self.record_received(received)
    }

    /// Calls [`StreamSocket::recv_spare`]. The caller does so in
    /// [`read_within_timeouts`](Self::read_within_timeouts).
    pub(super) fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let read = || retry_interrupted(|| self.socket.recv_spare(buffer));
        let received = self.state.during(Activity::Reading, read);
        #[cfg(feature = "proxy-protocol")]
        if let Ok(size) = received {
            let start = buffer.len() - size;
            let checked = self.proxy.check_start(&buffer[start..]);
            checked.inspect_err(|_| buffer.truncate(start))?;
        }
        self.record_received(received)
    }

    /// Calls [`StreamSocket::before_recv`].
    pub(super) fn before_recv(&self, would_block: bool) -> io::Result<()> {
        let wait = || retry_interrupted(|| self.socket.before_recv(would_block));
        self.state.during(Activity::Reading, wait)
    }

    /// In a forked child, waits until something can be received, or until the parent closes the server. The
    /// parent cannot end the reads of this connection.
    pub(super) fn wait_in_child(&self) -> io::Result<()> {
        let Some((notice, socket)) = close_notice().zip(self.socket.descriptor()) else {
            return Ok(());
        };
        if self.socket.has_pending_input() {
            return Ok(());
        }
        let timeout = self.socket.read_timeout();
        match wait_readable([notice, socket], timeout)? {
            [true, false] => self.end_idle(),
            [false, false] => return Err(stream_io::timed_out(Direction::Receive)),
            [_, true] => {}
        }
        Ok(())
    }

    pub(super) fn read_within_timeouts<T>(
        &self,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let begin = |timeouts: &ConnectionTimeouts| timeouts.begin_read(&*self.socket);
        self.within_timeouts(Direction::Receive, begin, attempt)
    }

    /// Sends some of `data`, which belongs to a write that began at `started`.
    fn send(&self, data: &[u8], started: Option<Instant>) -> io::Result<usize> {
        let begin = |timeouts: &ConnectionTimeouts| timeouts.begin_write(&*self.socket, started);
        let sent = self.within_timeouts(Direction::Send, begin, || {
            let write = || retry_interrupted(|| self.socket.send(data));
            self.state.during(Activity::Writing, write)
        });
        sent.inspect(|sent| self.record_sent(*sent))
            .map_err(|error| self.mark_disconnect(error))
    }

    pub(super) fn record_sent(&self, size: usize) {
        self.state.count_sent(size);
        if let Some(timeouts) = &self.timeouts {
            timeouts.record_output();
        }
    }

    /// Counts received bytes. Turns the end of the stream into an error if the server caused it.
    fn record_received(&self, received: io::Result<usize>) -> io::Result<usize> {
        match received {
            Ok(0) if self.state.is_force_closed() || self.state.is_cut() => {
                Err(ShuttingDown::error())
            }
            Ok(size) => {
                self.state.count_received(size);
                Ok(size)
            }
            Err(error) => Err(self.mark_disconnect(error)),
        }
    }

    /// Marks the error of a broken connection: the server force-closed it, or the client is gone.
    pub(super) fn mark_disconnect(&self, error: io::Error) -> io::Error {
        match disconnect::of_stream(&error) {
            Some(_) if self.state.is_force_closed() => ShuttingDown::error(),
            Some(kind) => ClientGone::broken(kind, error, Some(self.state.connection_id())),
            None => error,
        }
    }

    /// Waits until the client ends its side, at most for `time`, and discards its input meanwhile.
    /// Closing earlier could reset the connection, and the client would lose what it has not read yet.
    #[cold]
    pub(super) fn linger(&self, time: Duration) {
        let deadline = Instant::now().checked_add(time);
        let remaining =
            || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        self.state.while_lingering(|| {
            while remaining() != Some(Duration::ZERO)
                && self.socket.discard(remaining()).unwrap_or(false)
            {}
        });
    }

    /// Ends the output for the client, after the handler has returned.
    pub(super) fn end_output(&self, is_complete: bool) {
        // Fails if the client is gone.
        let _ = match is_complete {
            true => {
                let finished = self.state.while_lingering(|| self.socket.finish());
                finished.unwrap_or(Ok(()))
            }
            false => self.socket.truncate(),
        };
    }

    /// Fails if the write timeout has expired for a write that has sent a part of its data. The timeout
    /// is for all of the data, because otherwise a client that reads slowly could occupy its handler
    /// without limit.
    fn check_write(&self, started: Instant) -> io::Result<()> {
        if let Some(timeouts) = &self.timeouts {
            return timeouts.check_write(&*self.socket, started);
        }
        match self.socket.write_timeout() {
            Some(timeout) if started.elapsed() >= timeout => {
                Err(timed_out(Direction::Send, &*self.socket))
            }
            _ => Ok(()),
        }
    }

    /// Waits until no other message is being sent, at most for the write timeout.
    fn lock_sending(&self) -> io::Result<FairMutexGuard<'_>> {
        let guard = self.sending.lock(|| match &self.timeouts {
            Some(timeouts) => timeouts.write_lock_timeout(&*self.socket),
            None => self.socket.write_timeout(),
        });
        guard.ok_or_else(|| {
            self.count_timeout(match &self.timeouts {
                Some(timeouts) => timeouts.write_lock_error(),
                None => timed_out(Direction::Send, &*self.socket),
            })
        })
    }

    /// Runs a read or a write within the timeouts of the connection. All its timeout errors come from
    /// here, from [`check_write`](Self::check_write) or from [`lock_sending`](Self::lock_sending).
    #[inline]
    fn within_timeouts<T>(
        &self,
        direction: Direction,
        begin: impl FnOnce(&ConnectionTimeouts) -> io::Result<PendingIo>,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(timeouts) = &self.timeouts {
            return self.within_connection_timeouts(timeouts, direction, begin, attempt);
        }
        match attempt() {
            Err(error) if stream_io::is_timeout(&error) => {
                Err(self.socket_timeout_error(direction))
            }
            done => done,
        }
    }

    /// Repeats a read or write whose socket timed out until a timeout of the connection expires.
    #[inline(never)]
    fn within_connection_timeouts<T>(
        &self,
        timeouts: &ConnectionTimeouts,
        direction: Direction,
        begin: impl FnOnce(&ConnectionTimeouts) -> io::Result<PendingIo>,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let activity = match direction {
            Direction::Receive => Activity::Reading,
            Direction::Send => Activity::Writing,
        };
        let begun = self.state.during(activity, || begin(timeouts));
        let mut pending = begun.map_err(|error| self.count_timeout(error))?;
        loop {
            match attempt() {
                Err(error) if stream_io::is_timeout(&error) => {
                    let wait = || timeouts.continue_wait(&mut pending, &*self.socket);
                    let waited = self.state.during(activity, wait);
                    waited.map_err(|error| self.count_timeout(error))?;
                }
                done => return done,
            }
        }
    }

    /// The error of a read or write that ended by the socket's own timeout.
    #[cold]
    fn socket_timeout_error(&self, direction: Direction) -> io::Error {
        self.count_timeout(timed_out(direction, &*self.socket))
    }

    /// Counts the expired timeout if `error` reports one. The request timeout is counted once.
    #[cold]
    fn count_timeout(&self, error: io::Error) -> io::Error {
        let is_first = || {
            self.timeouts
                .as_ref()
                .is_none_or(ConnectionTimeouts::record_request_timeout)
        };
        if let Some(kind) = TimeoutKind::of(&error)
            && (kind != TimeoutKind::Request || is_first())
        {
            self.state.server.0.counters.count_timeout(kind);
        }
        error
    }
}

/// Repeats an operation that a signal interrupted. The sockets of this crate do so themselves; other
/// sockets may not. If it were an error, a caller that repeats the write would send a part of it twice.
#[inline]
fn retry_interrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl<S: StreamSocket> Recipient for Connection<S> {
    fn send_all(&self, mut data: &[u8]) -> io::Result<()> {
        let _sending = self.lock_sending()?;
        let mut started = (data.len() > SHORT_WRITE).then(Instant::now);
        let max_write = self
            .timeouts
            .as_ref()
            .map_or(usize::MAX, ConnectionTimeouts::max_write);
        while !data.is_empty() {
            match self.send(&data[..data.len().min(max_write)], started)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                sent => data = &data[sent..],
            }
            if !data.is_empty() {
                let started = *started.get_or_insert_with(Instant::now);
                self.check_write(started)
                    .map_err(|error| self.count_timeout(error))?;
            }
        }
        Ok(())
    }
}
