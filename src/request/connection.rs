//! One connection: reads, writes, timeouts and force-close.

use std::io;
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::coroutine::fair_mutex::{FairMutex, FairMutexGuard};
use crate::coroutine::stream_io;
use crate::handler_error::{ClientGone, ShuttingDown};
use crate::panics::{CatchDropPanic, catch_panic};
use crate::request::stream_socket::StreamSocket;
use crate::request::timeouts::{ConnectionTimeouts, PendingIo, timed_out};
use crate::state::broadcast::{Delivery, Progress};
use crate::state::sender::{Live, LiveConnection};
use crate::state::{Activity, ConnectionState, RequestInfo};
use crate::sys::poll::Direction;
use crate::timeout::TimeoutKind;

/// A write of no more than this is mostly sent at once, and not worth a look at the timeouts before.
const SHORT: usize = 1024;

/// One connection, shared by the two halves of its request. Everybody else ([`Sender`]s, the
/// server's registry) holds it weakly, so that it closes when the request is over.
pub(super) struct Connection<S: StreamSocket> {
    pub(super) socket: CatchDropPanic<S>,
    pub(super) client_address: S::Address,
    /// Held while a message is sent, so that messages of the handler and of senders do not mix.
    pub(super) sending: FairMutex,
    /// The times that it has, if it has any.
    pub(super) timeouts: Option<ConnectionTimeouts>,
    /// Declared last: who waits for a descriptor is told when the socket is closed.
    pub(super) state: ConnectionState,
}

impl<S: StreamSocket> Connection<S> {
    pub(super) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self.read_in_time(|| {
            let reading = || uninterrupted(|| self.socket.recv(buffer));
            self.state.during(Activity::Reading, reading)
        });
        self.received(received, buffer.is_empty())
    }

    pub(super) fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let reading = || uninterrupted(|| self.socket.recv_spare(buffer));
        let received = self.state.during(Activity::Reading, reading);
        self.received(received, false)
    }

    pub(super) fn read_in_time<T>(&self, attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let begin = |timeouts: &ConnectionTimeouts| timeouts.begin_read(&*self.socket);
        self.in_time(Direction::Receive, begin, attempt)
    }

    pub(super) fn before_recv(&self, in_vain: bool) -> io::Result<()> {
        let waiting = || uninterrupted(|| self.socket.before_recv(in_vain));
        self.state.during(Activity::Reading, waiting)
    }

    /// Sends some of what a write that was begun at `started` is to send.
    pub(super) fn send(&self, data: &[u8], started: Option<Instant>) -> io::Result<usize> {
        let begin = |timeouts: &ConnectionTimeouts| timeouts.begin_write(&*self.socket, started);
        let sent = self.in_time(Direction::Send, begin, || {
            let writing = || uninterrupted(|| self.socket.send(data));
            self.state.during(Activity::Writing, writing)
        });
        sent.inspect(|sent| self.sent(*sent))
            .map_err(|error| self.explain(error))
    }

    /// Counts what went.
    pub(super) fn sent(&self, size: usize) {
        self.state.count_sent(size);
        if let Some(timeouts) = &self.timeouts {
            timeouts.note_written();
        }
    }

    /// Counts what came. Says of the end of the stream, too, whether the server provoked it.
    pub(super) fn received(&self, received: io::Result<usize>, nothing: bool) -> io::Result<usize> {
        match received {
            Ok(0) if !nothing && self.state.is_force_closed() => Err(ShuttingDown::error()),
            Ok(size) => {
                self.state.count_received(size);
                Ok(size)
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Waits for the client to end its side, at most for `time`, and throws away what it sends meanwhile:
    /// closing before would reset the connection, and take back what the client has not read yet.
    #[cold]
    pub(super) fn linger(&self, time: Duration) {
        let deadline = Instant::now().checked_add(time);
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        self.state.during(Activity::Lingering, || {
            let mut buffer = [0; 4096];
            while left() != Some(Duration::ZERO)
                && self.socket.wait_readable(left()).unwrap_or(false)
                && self.socket.recv(&mut buffer).is_ok_and(|size| size > 0)
            {}
        });
    }

    /// Says of an error that it means the end of this connection, and whether the server provoked it.
    pub(super) fn explain(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => {
                if self.state.is_force_closed() {
                    ShuttingDown::error()
                } else {
                    ClientGone::broken(error)
                }
            }
            _ => error,
        }
    }

    /// Whether a write that has sent a part of its data has time left: it is for all of it, so that a
    /// client that reads a little now and then cannot keep its handler.
    pub(super) fn has_time(&self, started: Instant) -> io::Result<()> {
        if let Some(timeouts) = &self.timeouts {
            return timeouts.end_write(&*self.socket, started);
        }
        match self.socket.write_timeout() {
            Some(timeout) if started.elapsed() >= timeout => {
                Err(timed_out(Direction::Send, &*self.socket))
            }
            _ => Ok(()),
        }
    }

    /// Waits until nobody else is sending, but not longer than a send may take.
    pub(super) fn alone(&self) -> io::Result<FairMutexGuard<'_>> {
        let turn = self.sending.lock(|| match &self.timeouts {
            Some(timeouts) => timeouts.time_for_turn(&*self.socket),
            None => self.socket.write_timeout(),
        });
        turn.ok_or_else(|| {
            self.counted(match &self.timeouts {
                Some(timeouts) => timeouts.no_turn(),
                None => timed_out(Direction::Send, &*self.socket),
            })
        })
    }

    /// Runs a read or a write for as long as it may take. All errors that a time is over come from here, or
    /// from the two above.
    #[inline]
    pub(super) fn in_time<T>(
        &self,
        direction: Direction,
        begin: impl FnOnce(&ConnectionTimeouts) -> io::Result<PendingIo>,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(timeouts) = &self.timeouts {
            return self.in_time_of(timeouts, direction, begin, attempt);
        }
        match attempt() {
            Err(error) => Err(self.named(direction, error)),
            done => done,
        }
    }

    /// The same where the connection has times: if its socket's own is over before, it is tried again.
    #[inline(never)]
    pub(super) fn in_time_of<T>(
        &self,
        timeouts: &ConnectionTimeouts,
        direction: Direction,
        begin: impl FnOnce(&ConnectionTimeouts) -> io::Result<PendingIo>,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let waiting = match direction {
            Direction::Receive => Activity::Reading,
            Direction::Send => Activity::Writing,
        };
        let begun = self.state.during(waiting, || begin(timeouts));
        let mut wait = begun.map_err(|error| self.counted(error))?;
        loop {
            match attempt() {
                Err(error) if stream_io::is_timeout(&error) => {
                    let wait_on = || timeouts.wait_on(&mut wait, &*self.socket);
                    let waited = self.state.during(waiting, wait_on);
                    waited.map_err(|error| self.counted(error))?;
                }
                done => return done,
            }
        }
    }

    /// Says of an error that the socket's own time is over, if it is that, which time that was.
    #[cold]
    pub(super) fn named(&self, direction: Direction, error: io::Error) -> io::Error {
        if stream_io::is_timeout(&error) {
            self.counted(timed_out(direction, &*self.socket))
        } else {
            error
        }
    }

    /// Counts an error that says that a time is over; that of the whole request once.
    #[cold]
    pub(super) fn counted(&self, error: io::Error) -> io::Error {
        let news = || {
            self.timeouts
                .as_ref()
                .is_none_or(ConnectionTimeouts::note_late)
        };
        if let Some(kind) = TimeoutKind::of(&error)
            && (kind != TimeoutKind::Request || news())
        {
            self.state.server.0.counters.count_timeout(kind);
        }
        error
    }
}

/// Does again what a signal has force_closed: the sockets of this crate do so themselves, others may not.
/// Were it an error, whoever repeats a write would send a part of it twice.
#[inline]
fn uninterrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl<S: StreamSocket> Live for Connection<S> {
    fn send_all(&self, mut data: &[u8]) -> io::Result<()> {
        let _alone = self.alone()?;
        let mut started = (data.len() > SHORT).then(Instant::now);
        let piece = self
            .timeouts
            .as_ref()
            .map_or(usize::MAX, ConnectionTimeouts::piece);
        while !data.is_empty() {
            match self.send(&data[..data.len().min(piece)], started)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                sent => data = &data[sent..],
            }
            if !data.is_empty() {
                let started = *started.get_or_insert_with(Instant::now);
                self.has_time(started)
                    .map_err(|error| self.counted(error))?;
            }
        }
        Ok(())
    }

    fn interrupt(&self) {
        // It fails if the client is gone already, which is just as well.
        let _ = catch_panic(|| self.socket.shutdown(Shutdown::Both));
    }
}

impl<S: StreamSocket> LiveConnection for Connection<S> {
    fn connection_state(&self) -> &ConnectionState {
        &self.state
    }

    fn info(&self) -> RequestInfo {
        self.state.info(self.client_address.clone().into())
    }

    fn cut(&self) {
        // One that has ended may be a child's by now, whose end this would be too.
        if self.state.cut() || self.state.is_lingering() {
            self.interrupt();
        }
    }

    fn deliver<'a>(&'a self, data: &'a [u8]) -> Box<dyn Delivery + 'a> {
        Box::new(BroadcastMessage {
            connection: self,
            data,
            sent: 0,
            turn: None,
        })
    }
}

/// A message on its direction to a client, by one who sends to many and cannot wait for each.
struct BroadcastMessage<'a, S: StreamSocket> {
    connection: &'a Connection<S>,
    data: &'a [u8],
    sent: usize,
    /// From the first byte to the last.
    turn: Option<FairMutexGuard<'a>>,
}

impl<S: StreamSocket> Delivery for BroadcastMessage<'_, S> {
    fn advance(&mut self) -> io::Result<Progress> {
        let connection = self.connection;
        if self.turn.is_none() {
            self.turn = connection.sending.lock(|| Some(Duration::ZERO));
        }
        if self.turn.is_none() {
            return Ok(Progress::InLine);
        }
        while self.sent < self.data.len() {
            match connection.socket.try_send(&self.data[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    connection.sent(sent);
                    self.sent += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::NoRoom);
                }
                Err(error) => return Err(connection.explain(error)),
            }
        }
        Ok(Progress::Done)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.connection.socket.descriptor()
    }

    fn give_up(&self) {
        // What would come next is not what the client expects in the middle of a message.
        if (1..self.data.len()).contains(&self.sent) {
            self.connection.interrupt();
        }
    }
}
