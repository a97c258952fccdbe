//! Requests of stream servers: connections.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Request;
use super::buffer::ReadBuffer;
use super::deadlines::{Clock, Wait, Way};
use super::delivery::{Delivery, Progress};
use super::info::{Activity, RequestInfo};
use super::sender::{Live, LiveConnection, Sender, write_formatted};
use super::vitals::Vitals;
use crate::ServerHandle;
use crate::address::{Address, UnixAddress};
use crate::handler_error::{ClientGone, ShuttingDown};
use crate::panics::{Contained, contain};
use crate::sys;
use crate::sys::coroutine::Direction;
use crate::sys::turn::{Turn, TurnGuard};
use crate::timeout::{Deadlines, TimeoutKind};

/// A connected stream socket: [`TcpStream`], [`UnixStream`], or something that wraps one, such as
/// a TLS session.
///
/// Reads, writes and the end of both are asked for through `&self`, at the same time, from several
/// threads.
///
/// - **You implement** it to add a stream transport; [`StreamRequest`] does the rest.
/// - **The server calls** all of it.
/// - **One that panics** costs its own request: the handler if it is that which reads or writes, nothing if
///   it is being closed. For others who send to its client it is an error.
pub trait StreamSocket: Send + Sync + 'static {
    /// The type of client addresses.
    type Address: Address;

    /// Receives what is there, waiting for the first byte; 0 is the end of the stream.
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// The same, to the end of `buffer`, as much as fits in without making it larger. One that waits in
    /// [`before_recv`](Self::before_recv), so that the buffer is not kept meanwhile, fails with
    /// `WouldBlock` if nothing is there. The default fills the free part with zeros first, and waits.
    fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let start = buffer.len();
        buffer.resize(buffer.capacity(), 0);
        let received = self.recv(&mut buffer[start..]);
        buffer.truncate(start + received.as_ref().unwrap_or(&0));
        received
    }

    /// Called before each [`recv_spare`](Self::recv_spare), when no buffer is held: the place to wait if
    /// it is known that nothing is there, or, `in_vain`, because the last attempt has failed with
    /// `WouldBlock`. The default does nothing, and says in the latter case that this was unexpected.
    fn before_recv(&self, in_vain: bool) -> io::Result<()> {
        if in_vain {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    }

    /// The descriptor, if there is one that belongs to this connection alone and to its end: waiting
    /// for it is cheaper then. The default is `None`.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Sends some of `data`, waiting for room, and returns how much.
    fn send(&self, data: &[u8]) -> io::Result<usize>;

    /// Sends what there is room for, without waiting.
    fn try_send(&self, data: &[u8]) -> io::Result<usize>;

    /// Ends one direction or both; wakes whoever waits in it.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// Bounds how long each read and each write may wait. One that waits in vain for that long fails with
    /// an error of kind [`TimedOut`](io::ErrorKind::TimedOut).
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// The same, with a time for each of the two. The default sets both to the shorter one: one of them
    /// may be over too early, and is then waited for again.
    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.set_timeout([read, write].into_iter().flatten().min())
    }

    /// How long each write may wait, which is also how long one may wait for another to the same
    /// client. The default is without limit.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// How long each read may wait. The default is without limit, or that it is not known: a time that is
    /// longer than what the socket was set to ([`Deadlines`]) can then be over late, by as much as that.
    fn read_timeout(&self) -> Option<Duration> {
        None
    }

    /// Waits until there may be something to receive, whatever time reads have. `false` if `timeout` is
    /// over (`None`: without limit). Called after a read has timed out for which there is more time. The
    /// default waits for the [`descriptor`](Self::descriptor); without one, it says at once that there
    /// may be something, so that the read is tried again.
    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.descriptor().map_or(Ok(true), |descriptor| {
            sys::stream::wait(descriptor, Direction::Receive, timeout)
        })
    }

    /// The same for room to send.
    fn wait_writable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.descriptor().map_or(Ok(true), |descriptor| {
            sys::stream::wait(descriptor, Direction::Send, timeout)
        })
    }

    /// Called between the shutdown of the writing side and closing, if the client has not ended its
    /// side: the place to see to it that closing does not reset the connection. The default does
    /// nothing.
    fn before_close(&self) {}
}

macro_rules! stream_socket {
    ($socket:ty, $address:ty, $most:expr) => {
        impl StreamSocket for $socket {
            type Address = $address;

            fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                sys::stream::recv(self.as_fd(), buffer)
            }

            fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                sys::stream::recv_spare(self.as_fd(), buffer)
            }

            fn before_recv(&self, in_vain: bool) -> io::Result<()> {
                sys::stream::before_recv(self.as_fd(), in_vain)
            }

            fn descriptor(&self) -> Option<BorrowedFd<'_>> {
                Some(self.as_fd())
            }

            fn send(&self, data: &[u8]) -> io::Result<usize> {
                sys::stream::send(self.as_fd(), &data[..data.len().min($most)])
            }

            fn try_send(&self, data: &[u8]) -> io::Result<usize> {
                sys::stream::try_send(self.as_fd(), data)
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                sys::stream::shutdown(self.as_fd(), how)
            }

            fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                sys::socket::set_timeout(self.as_fd(), timeout)
            }

            fn timeout(&self) -> Option<Duration> {
                sys::socket::send_timeout(self.as_fd())
            }

            fn set_timeouts(
                &self,
                read: Option<Duration>,
                write: Option<Duration>,
            ) -> io::Result<()> {
                sys::socket::set_receive_timeout(self.as_fd(), read)?;
                sys::socket::set_send_timeout(self.as_fd(), write)
            }

            fn read_timeout(&self) -> Option<Duration> {
                sys::socket::receive_timeout(self.as_fd())
            }

            fn before_close(&self) {
                // Closing with unread input resets the connection, and what the client has not
                // received by then is lost to it.
                sys::stream::discard_input(self.as_fd());
            }
        }
    };
}

/// A write of no more than this is mostly sent at once, and not worth a look at the clock before.
const SHORT: usize = 1024;

/// How much a Unix socket is given at once. The kernel begins its timeout anew with every part that it
/// finds room for, so that one large write to a client that reads slowly would never be over.
const UNIX_PIECE: usize = 256 * 1024;

stream_socket!(TcpStream, SocketAddr, usize::MAX);
stream_socket!(UnixStream, UnixAddress, UNIX_PIECE);

/// One connection, shared by the two halves of its request. Everybody else ([`Sender`]s, the
/// server's registry) holds it weakly, so that it closes when the request is over.
struct Connection<S: StreamSocket> {
    socket: Contained<S>,
    client_address: S::Address,
    /// Held while a message is sent, so that messages of the handler and of senders do not mix.
    sending: Turn,
    /// The times that it has, if it has any.
    clock: Option<Clock>,
    /// Declared last: who waits for a descriptor is told when the socket is closed.
    vitals: Vitals,
}

impl<S: StreamSocket> Connection<S> {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self.read_in_time(|| {
            let reading = || uninterrupted(|| self.socket.recv(buffer));
            self.vitals.during(Activity::Reading, reading)
        });
        self.received(received, buffer.is_empty())
    }

    fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let reading = || uninterrupted(|| self.socket.recv_spare(buffer));
        let received = self.vitals.during(Activity::Reading, reading);
        self.received(received, false)
    }

    fn read_in_time<T>(&self, attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let begin = |clock: &Clock| clock.begin_read(&*self.socket);
        self.in_time(Way::Read, begin, attempt)
    }

    fn before_recv(&self, in_vain: bool) -> io::Result<()> {
        let waiting = || uninterrupted(|| self.socket.before_recv(in_vain));
        self.vitals.during(Activity::Reading, waiting)
    }

    /// Sends some of what a write that was begun at `started` is to send.
    fn send(&self, data: &[u8], started: Option<Instant>) -> io::Result<usize> {
        let begin = |clock: &Clock| clock.begin_write(&*self.socket, started);
        let sent = self.in_time(Way::Write, begin, || {
            let writing = || uninterrupted(|| self.socket.send(data));
            self.vitals.during(Activity::Writing, writing)
        });
        sent.inspect(|sent| self.sent(*sent))
            .map_err(|error| self.explain(error))
    }

    /// Counts what went.
    fn sent(&self, size: usize) {
        self.vitals.count_sent(size);
        if let Some(clock) = &self.clock {
            clock.note_written();
        }
    }

    /// Counts what came. Says of the end of the stream, too, whether the server provoked it.
    fn received(&self, received: io::Result<usize>, nothing: bool) -> io::Result<usize> {
        match received {
            Ok(0) if !nothing && self.vitals.is_cut() => Err(ShuttingDown::error()),
            Ok(size) => {
                self.vitals.count_received(size);
                Ok(size)
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Waits for the client to end its side, at most for `time`, and throws away what it sends meanwhile:
    /// closing before would reset the connection, and take back what the client has not read yet.
    #[cold]
    fn linger(&self, time: Duration) {
        let deadline = Instant::now().checked_add(time);
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        self.vitals.during(Activity::Lingering, || {
            let mut buffer = [0; 4096];
            while left() != Some(Duration::ZERO)
                && self.socket.wait_readable(left()).unwrap_or(false)
                && self.socket.recv(&mut buffer).is_ok_and(|size| size > 0)
            {}
        });
    }

    /// Says of an error that it means the end of this connection, and whether the server provoked it.
    fn explain(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => {
                if self.vitals.is_cut() {
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
    fn has_time(&self, started: Instant) -> io::Result<()> {
        if let Some(clock) = &self.clock {
            return clock.end_write(&*self.socket, started);
        }
        match self.socket.timeout() {
            Some(timeout) if started.elapsed() >= timeout => {
                Err(Way::Write.timed_out(&*self.socket))
            }
            _ => Ok(()),
        }
    }

    /// Waits until nobody else is sending, but not longer than a send may take.
    fn alone(&self) -> io::Result<TurnGuard<'_>> {
        let turn = self.sending.take(|| match &self.clock {
            Some(clock) => clock.time_for_turn(&*self.socket),
            None => self.socket.timeout(),
        });
        turn.ok_or_else(|| {
            self.counted(match &self.clock {
                Some(clock) => clock.no_turn(),
                None => Way::Write.timed_out(&*self.socket),
            })
        })
    }

    /// Runs a read or a write for as long as it may take. All errors that a time is over come from here, or
    /// from the two above.
    #[inline]
    fn in_time<T>(
        &self,
        way: Way,
        begin: impl FnOnce(&Clock) -> io::Result<Wait>,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(clock) = &self.clock {
            return self.in_time_of(clock, way, begin, attempt);
        }
        match attempt() {
            Err(error) => Err(self.named(way, error)),
            done => done,
        }
    }

    /// The same where the connection has times: if its socket's own is over before, it is tried again.
    #[inline(never)]
    fn in_time_of<T>(
        &self,
        clock: &Clock,
        way: Way,
        begin: impl FnOnce(&Clock) -> io::Result<Wait>,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let waiting = match way {
            Way::Read => Activity::Reading,
            Way::Write => Activity::Writing,
        };
        let begun = self.vitals.during(waiting, || begin(clock));
        let mut wait = begun.map_err(|error| self.counted(error))?;
        loop {
            match attempt() {
                Err(error) if sys::stream::is_timeout(&error) => {
                    let wait_on = || clock.wait_on(&mut wait, &*self.socket);
                    let waited = self.vitals.during(waiting, wait_on);
                    waited.map_err(|error| self.counted(error))?;
                }
                done => return done,
            }
        }
    }

    /// Says of an error that the socket's own time is over, if it is that, which time that was.
    #[cold]
    fn named(&self, way: Way, error: io::Error) -> io::Error {
        if sys::stream::is_timeout(&error) {
            self.counted(way.timed_out(&*self.socket))
        } else {
            error
        }
    }

    /// Counts an error that says that a time is over.
    #[cold]
    fn counted(&self, error: io::Error) -> io::Error {
        if let Some(kind) = TimeoutKind::of(&error) {
            self.vitals.server.0.counters.count_timeout(kind);
        }
        error
    }
}

/// Does again what a signal has interrupted: the sockets of this crate do so themselves, others may not.
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
        let piece = self.clock.as_ref().map_or(usize::MAX, Clock::piece);
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
        let _ = contain(|| self.socket.shutdown(Shutdown::Both));
    }
}

impl<S: StreamSocket> LiveConnection for Connection<S> {
    fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    fn info(&self) -> RequestInfo {
        self.vitals.info(self.client_address.clone().into())
    }

    fn cut(&self) {
        // It may have ended, and linger.
        self.vitals.cut();
        self.interrupt();
    }

    fn deliver<'a>(&'a self, data: &'a [u8]) -> Box<dyn Delivery + 'a> {
        Box::new(Dispatch {
            connection: self,
            data,
            sent: 0,
            turn: None,
        })
    }
}

/// A message on its way to a client, by one who sends to many and cannot wait for each.
struct Dispatch<'a, S: StreamSocket> {
    connection: &'a Connection<S>,
    data: &'a [u8],
    sent: usize,
    /// From the first byte to the last.
    turn: Option<TurnGuard<'a>>,
}

impl<S: StreamSocket> Delivery for Dispatch<'_, S> {
    fn advance(&mut self) -> io::Result<Progress> {
        let connection = self.connection;
        if self.turn.is_none() {
            self.turn = connection.sending.take(|| Some(Duration::ZERO));
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

/// The reading half of a [`StreamRequest`]. Python: `self.rfile`, with its default buffering
/// (`rbufsize = -1`).
#[doc(alias = "rfile")]
#[doc(alias = "rbufsize")]
pub struct StreamReader<S: StreamSocket> {
    connection: Arc<Connection<S>>,
    buffer: ReadBuffer,
    /// The client has ended its side: nothing unread can be left.
    ended: bool,
}

impl<S: StreamSocket> StreamReader<S> {
    /// Fills the empty buffer.
    fn receive(&mut self) -> io::Result<()> {
        let connection = &self.connection;
        connection.read_in_time(|| {
            let mut in_vain = false;
            loop {
                connection.before_recv(in_vain)?;
                match self.buffer.fill(|buffer| connection.recv_spare(buffer)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => in_vain = true,
                    received => return received,
                }
            }
        })?;
        self.noted(self.buffer.unread().len());
        Ok(())
    }

    /// Notes the end of the stream, and that it goes on.
    fn noted(&mut self, size: usize) -> usize {
        self.ended |= size == 0;
        if size > 0
            && let Some(clock) = &self.connection.clock
        {
            clock.note_read();
        }
        size
    }
}

impl<S: StreamSocket> Read for StreamReader<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // Small reads go through the buffer, so that each does not cost a system call.
        if self.buffer.unread().is_empty() && buffer.len() >= 4096 {
            let size = self.connection.recv(buffer)?;
            return Ok(self.noted(size));
        }
        let there = self.fill_buf()?;
        let size = there.len().min(buffer.len());
        buffer[..size].copy_from_slice(&there[..size]);
        self.consume(size);
        Ok(size)
    }

    fn read_exact(&mut self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read(buffer)? {
                0 => return Err(ClientGone::mid_message()),
                size => buffer = &mut buffer[size..],
            }
        }
        Ok(())
    }
}

impl<S: StreamSocket> BufRead for StreamReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.buffer.unread().is_empty() {
            self.receive()?;
        } else if let Some(clock) = &self.connection.clock {
            clock.note_read();
        }
        Ok(self.buffer.unread())
    }

    fn consume(&mut self, amount: usize) {
        self.buffer.consume(amount);
    }
}

/// The writing half of a [`StreamRequest`]. Python: `self.wfile`.
///
/// It has no buffer: each write is sent at once and completely. Wrap it in a
/// [`BufWriter`](io::BufWriter) for many small ones (Python: `wbufsize`).
#[doc(alias = "wfile")]
#[doc(alias = "wbufsize")]
pub struct StreamWriter<S: StreamSocket> {
    connection: Arc<Connection<S>>,
}

impl<S: StreamSocket> Write for StreamWriter<S> {
    /// Sends all of `data`; never a part of it.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.connection.send_all(data)?;
        Ok(data.len())
    }

    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        write_formatted(text, |data| self.connection.send_all(data))
    }

    /// Nothing to do: nothing is held back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection of a stream server: see [`Request`] for how to read from it and write to it.
#[doc(alias = "connection")]
pub struct StreamRequest<S: StreamSocket> {
    reader: StreamReader<S>,
    writer: StreamWriter<S>,
}

impl<S: StreamSocket> StreamRequest<S> {
    /// Makes a request of an accepted connection: for transports of your own.
    pub fn new(socket: S, client_address: S::Address, server: &ServerHandle) -> Self {
        // It may have one.
        sys::socket::expect_timeouts();
        Self::accepted(socket, client_address, server, &Deadlines::default())
    }

    /// The same with the times that the options of the server say: a transport of your own finds them in
    /// [`SocketOptions::deadlines`](crate::transport::SocketOptions::deadlines). The request begins now.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a time of zero; `ConnectionAborted`, which concerns this client only, if
    /// [`StreamSocket::set_timeouts`] fails.
    pub fn with_deadlines(
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
        deadlines: &Deadlines,
    ) -> io::Result<Self> {
        sys::socket::expect_timeouts();
        deadlines.check()?;
        let clock = Clock::new(deadlines);
        if let Some(clock) = &clock {
            let (read, write) = deadlines.of_socket();
            socket
                .set_timeouts(read, write)
                .map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, error))?;
            clock.note_own(&socket);
        }
        Ok(Self::with_clock(socket, client_address, server, clock))
    }

    /// The same for a socket whose timeouts, if it has any, were set here.
    pub(crate) fn accepted(
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
        deadlines: &Deadlines,
    ) -> Self {
        Self::with_clock(socket, client_address, server, Clock::new(deadlines))
    }

    fn with_clock(
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
        clock: Option<Clock>,
    ) -> Self {
        // It has to know its place in the registry, and the registry has to know it. Its memory is
        // taken before the registry is locked, and there is nothing to cut until it is made.
        let connection = Arc::new_cyclic(|connection: &Weak<Connection<S>>| Connection {
            socket: Contained::new(socket),
            client_address,
            sending: Turn::default(),
            clock,
            vitals: Vitals::begin(server, connection.clone()),
        });
        Self {
            reader: StreamReader {
                connection: Arc::clone(&connection),
                buffer: ReadBuffer::default(),
                ended: false,
            },
            writer: StreamWriter { connection },
        }
    }

    /// The socket, for its options. Reading from it directly misses what is in
    /// [`buffer`](Self::buffer).
    #[doc(alias = "connection")]
    pub fn socket(&self) -> &S {
        // A timeout is among them.
        sys::socket::expect_timeouts();
        &self.shared().socket
    }

    /// The bytes that were received from the client and not yet read by the handler.
    pub fn buffer(&self) -> &[u8] {
        self.reader.buffer.unread()
    }

    /// The two halves, for a handler that reads and writes at the same time: on two threads (see
    /// [`std::thread::scope`]), or in a loop over `reader.lines()` that writes to the other half
    /// (lines have no length limit then).
    #[doc(alias = "rfile")]
    #[doc(alias = "wfile")]
    pub fn split(&mut self) -> (&mut StreamReader<S>, &mut StreamWriter<S>) {
        (&mut self.reader, &mut self.writer)
    }

    fn shared(&self) -> &Arc<Connection<S>> {
        &self.writer.connection
    }

    /// First tells the client; it fails if the client is gone. Then makes sure that closing does not take
    /// back what it was told.
    fn shut_down(&self) {
        let _ = self.shared().socket.shutdown(Shutdown::Write);
        if !self.reader.ended {
            self.shared().socket.before_close();
        }
    }
}

impl<S: StreamSocket> Request for StreamRequest<S> {
    type Address = S::Address;

    fn client_address(&self) -> &S::Address {
        &self.shared().client_address
    }

    fn server(&self) -> &ServerHandle {
        &self.shared().vitals.server
    }

    fn sender(&self) -> Sender {
        let connection: Weak<Connection<S>> = Arc::downgrade(self.shared());
        Sender::stream(connection)
    }

    fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> io::Result<()> {
        let connection = self.shared();
        match &connection.clock {
            Some(clock) => clock.set_timeout(timeout.into(), &*connection.socket),
            None => connection.socket.set_timeout(timeout.into()),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.shared().socket.descriptor()
    }

    fn vitals(&self) -> Option<&Vitals> {
        Some(&self.shared().vitals)
    }

    fn close(&mut self) {
        self.shared().interrupt();
    }

    fn shutdown_request(&mut self) {
        self.shut_down();
        let linger = self.shared().clock.as_ref().and_then(Clock::linger);
        if let (false, Some(time)) = (self.reader.ended, linger) {
            self.shared().linger(time);
        }
    }

    fn refuse(&mut self, farewell: &[u8]) {
        if !farewell.is_empty()
            && let Ok(sent) = self.shared().socket.try_send(farewell)
        {
            self.shared().vitals.count_sent(sent);
        }
        self.shut_down();
    }
}

impl<S: StreamSocket> Read for StreamRequest<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(buffer)
    }
}

impl<S: StreamSocket> BufRead for StreamRequest<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl<S: StreamSocket> Write for StreamRequest<S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.writer.write(data)
    }

    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.writer.write_fmt(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl<S: StreamSocket> fmt::Debug for StreamRequest<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRequest")
            .field("client_address", self.client_address())
            .finish_non_exhaustive()
    }
}
