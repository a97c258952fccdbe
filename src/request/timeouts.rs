//! When the reads and writes of a connection are over.
//!
//! It is the kernel that keeps the time: a socket has a timeout for receiving and one for sending, which
//! cost nothing until they are over. They are set to the shortest time that may count. When one is over
//! before the time that does count, what is left of it is waited for here. So there is no system call more
//! for a read or a write that is in time, and a look at the clock only where a whole request has a time.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::request::stream_socket::StreamSocket;
use crate::sys::poll::Direction;
use crate::sys::socket::check_timeout;
use crate::timeout::{TimedOut, TimeoutConfig, TimeoutKind};

/// The kind of timeout that a direction has if nothing more is known.
fn kind_of(direction: Direction) -> TimeoutKind {
    match direction {
        Direction::Receive => TimeoutKind::Read,
        Direction::Send => TimeoutKind::Write,
    }
}

/// The socket's own timeout for a direction, if the socket reports one.
fn own_timeout(direction: Direction, socket: &impl StreamSocket) -> Option<Duration> {
    match direction {
        Direction::Receive => socket.read_timeout(),
        Direction::Send => socket.write_timeout(),
    }
}

fn wait_ready(
    direction: Direction,
    socket: &impl StreamSocket,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    match direction {
        Direction::Receive => socket.wait_readable(timeout),
        Direction::Send => socket.wait_writable(timeout),
    }
}

/// The timeout error of a connection whose only timeouts are those of its socket.
#[cold]
pub(super) fn timed_out(direction: Direction, socket: &impl StreamSocket) -> io::Error {
    TimedOut::error(kind_of(direction), own_timeout(direction, socket))
}

/// A time that may change, in microseconds; 0 is none.
#[derive(Default)]
struct Time(AtomicU64);

impl Time {
    fn new(time: Option<Duration>) -> Self {
        let new = Self::default();
        new.set(time);
        new
    }

    fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    fn set(&self, time: Option<Duration>) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.store(
            time.map_or(0, |time| micros(time).max(1)),
            Ordering::Relaxed,
        );
    }
}

/// The client has sent nothing yet.
const SILENT: u8 = 0;
/// Bytes of the client were the last that moved.
const ASKING: u8 = 1;
/// It was written to after that.
const ANSWERED: u8 = 2;

/// The times of one connection, and what is to be known to tell which one counts.
pub(super) struct ConnectionTimeouts {
    read: Time,
    write: Time,
    first_byte: Option<Duration>,
    idle: Option<Duration>,
    request: Option<Duration>,
    linger: Option<Duration>,
    /// When it began, if a time counts from there.
    accepted: Option<Instant>,
    /// What the socket's own times were set to.
    receiving: Time,
    sending: Time,
    /// One of the three above.
    progress: AtomicU8,
    /// That the request was not over in time has been counted.
    is_late: AtomicBool,
}

/// A read or write that may have to wait.
pub(super) struct PendingIo {
    direction: Direction,
    kind: TimeoutKind,
    /// When its time began, if that was looked at.
    since: Option<Instant>,
}

impl PendingIo {
    /// One that has just begun to wait.
    fn new(kind: TimeoutKind, direction: Direction) -> Self {
        let since = None;
        Self {
            direction,
            kind,
            since,
        }
    }
}

impl ConnectionTimeouts {
    /// How much is written at once where a whole request has a time: a write of more to a Unix socket has
    /// the socket's own time for each part of it that there is room for.
    const PIECE: usize = 64 * 1024;

    /// A socket's own time is not made shorter than this to be in time for the end of the request: the
    /// kernel counts in ticks of up to 10 ms.
    const TICK: Duration = Duration::from_millis(10);

    /// What the kernel makes of a time is at most this much longer.
    const ROUNDING: Duration = Self::TICK;

    /// For a connection that was just accepted, whose socket has been set to
    /// [`TimeoutConfig::socket_timeouts`].
    pub(super) fn new(timeouts: &TimeoutConfig) -> Option<Self> {
        if timeouts.is_empty() {
            return None;
        }
        let (receiving, sending) = timeouts.socket_timeouts();
        let counts_from_accept = timeouts.first_byte.or(timeouts.request).is_some();
        Some(Self {
            read: Time::new(timeouts.read),
            write: Time::new(timeouts.write),
            first_byte: timeouts.first_byte,
            idle: timeouts.idle,
            request: timeouts.request,
            linger: timeouts.linger,
            accepted: counts_from_accept.then(Instant::now),
            receiving: Time::new(receiving),
            sending: Time::new(sending),
            progress: AtomicU8::new(SILENT),
            is_late: AtomicBool::new(false),
        })
    }

    /// Notes that the request was not over in time. Returns whether that is news.
    pub(super) fn note_late(&self) -> bool {
        !self.is_late.swap(true, Ordering::Relaxed)
    }

    /// How long to wait, after the request, for the client to end its side.
    pub(super) fn linger(&self) -> Option<Duration> {
        self.linger
    }

    /// Notes that the handler got bytes of the client.
    #[inline]
    pub(super) fn note_read(&self) {
        if self.progress.load(Ordering::Relaxed) != ASKING {
            self.progress.store(ASKING, Ordering::Relaxed);
        }
    }

    /// Notes that the client was written to.
    #[inline]
    pub(super) fn note_written(&self) {
        if self.progress.load(Ordering::Relaxed) == ASKING {
            self.progress.store(ANSWERED, Ordering::Relaxed);
        }
    }

    /// How many bytes are written at once.
    #[inline]
    pub(super) fn piece(&self) -> usize {
        if self.request.is_some() {
            Self::PIECE
        } else {
            usize::MAX
        }
    }

    /// Begins a read.
    #[inline]
    pub(super) fn begin_read(&self, socket: &impl StreamSocket) -> io::Result<PendingIo> {
        self.approach(Direction::Receive, socket)?;
        match self.progress.load(Ordering::Relaxed) {
            SILENT if self.first_byte.is_some() => self.begin_first_read(socket),
            ANSWERED if self.idle.is_some() => {
                Ok(PendingIo::new(TimeoutKind::Idle, Direction::Receive))
            }
            _ => Ok(PendingIo::new(TimeoutKind::Read, Direction::Receive)),
        }
    }

    /// The first one. Its time has begun when the client was accepted: long ago, maybe, if the handler was
    /// waiting for a thread. What has come meanwhile has come in time.
    #[cold]
    fn begin_first_read(&self, socket: &impl StreamSocket) -> io::Result<PendingIo> {
        let mut wait = PendingIo::new(TimeoutKind::FirstByte, Direction::Receive);
        wait.since = self.accepted;
        let passed = self.accepted.map(|accepted| accepted.elapsed());
        let soon = self.receiving.get().map(|time| time / 16);
        if passed > soon {
            let end = self.end_of(&wait);
            if !wait_ready(wait.direction, socket, end.left())? {
                return Err(end.error());
            }
        }
        Ok(wait)
    }

    /// Begins a write, or a part of one that was begun at `started`.
    #[inline]
    pub(super) fn begin_write(
        &self,
        socket: &impl StreamSocket,
        started: Option<Instant>,
    ) -> io::Result<PendingIo> {
        self.approach(Direction::Send, socket)?;
        let mut wait = PendingIo::new(TimeoutKind::Write, Direction::Send);
        wait.since = started;
        Ok(wait)
    }

    /// Looks whether the request as a whole is over, or nearly: then the socket's own time, which begins
    /// anew with each read and write, may be too long.
    #[inline]
    fn approach(&self, direction: Direction, socket: &impl StreamSocket) -> io::Result<()> {
        let Some(end) = self.end_of_request() else {
            return Ok(());
        };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(TimedOut::error(TimeoutKind::Request, self.request));
        }
        let own = self.own(direction).get();
        if own.is_none_or(|own| own > 2 * Self::TICK && own > left / 2) {
            return self.shorten(direction, socket);
        }
        Ok(())
    }

    /// Makes the socket's own times so short that they are good for half of what is left of the request.
    /// That is to be done again when the other half is over, and so on: a few times in all, however many
    /// reads and writes there are.
    #[cold]
    fn shorten(&self, direction: Direction, socket: &impl StreamSocket) -> io::Result<()> {
        self.adopt(direction, socket);
        self.set_own(socket)
    }

    fn set_own(&self, socket: &impl StreamSocket) -> io::Result<()> {
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        let left = self.end_of_request().map(left);
        let first_byte = self.first_byte;
        let is_silent = self.progress.load(Ordering::Relaxed) == SILENT;
        let timeouts = TimeoutConfig {
            read: self.read.get(),
            write: self.write.get(),
            first_byte: first_byte.filter(|_| is_silent),
            idle: self.idle,
            request: left.map(|left| left.max(4 * Self::TICK)),
            linger: None,
        };
        let (receiving, sending) = timeouts.socket_timeouts();
        socket.set_timeouts(receiving, sending)?;
        self.receiving.set(receiving);
        self.sending.set(sending);
        self.note_own(socket);
        Ok(())
    }

    /// Notes which times the socket has, which need not be those that it was asked to have.
    pub(super) fn note_own(&self, socket: &impl StreamSocket) {
        for direction in [Direction::Receive, Direction::Send] {
            if let Some(time) = own_timeout(direction, socket) {
                self.own(direction).set(Some(time));
            }
        }
    }

    /// Changes the time of each read and each write.
    pub(super) fn set_timeout(
        &self,
        timeout: Option<Duration>,
        socket: &impl StreamSocket,
    ) -> io::Result<()> {
        check_timeout(timeout)?;
        self.read.set(timeout);
        self.write.set(timeout);
        self.set_own(socket)
    }

    /// The time that the socket has, if it says so. Where that is not what was set here, somebody has set
    /// it by other means, and it counts from now on.
    fn adopt(&self, direction: Direction, socket: &impl StreamSocket) -> Option<Duration> {
        let found = own_timeout(direction, socket)?;
        let own = self.own(direction).get();
        let is_own =
            own.is_some_and(|own| found >= own && found.saturating_sub(own) <= Self::ROUNDING);
        if !is_own {
            self.own(direction).set(Some(found));
            self.of(direction).set(Some(found));
        }
        Some(found)
    }

    /// Goes on waiting, because the socket's own time is over, if that is not the one that counts.
    #[cold]
    pub(super) fn wait_on(
        &self,
        wait: &mut PendingIo,
        socket: &impl StreamSocket,
    ) -> io::Result<()> {
        let passed = self.adopt(wait.direction, socket).unwrap_or_default();
        wait.since = wait.since.or_else(|| Instant::now().checked_sub(passed));
        let end = self.end_of(wait);
        let left = end.left();
        if left == Some(Duration::ZERO) || !wait_ready(wait.direction, socket, left)? {
            return Err(end.error());
        }
        Ok(())
    }

    /// Whether a write that began at `started` has had its time.
    pub(super) fn end_write(&self, socket: &impl StreamSocket, started: Instant) -> io::Result<()> {
        self.adopt(Direction::Send, socket);
        let end = self.end_of(&PendingIo {
            direction: Direction::Send,
            kind: TimeoutKind::Write,
            since: Some(started),
        });
        match end.left() {
            Some(Duration::ZERO) => Err(end.error()),
            _ => Ok(()),
        }
    }

    /// How long a write may wait for others.
    #[cold]
    pub(super) fn time_for_turn(&self, socket: &impl StreamSocket) -> Option<Duration> {
        self.adopt(Direction::Send, socket);
        let wait = PendingIo {
            direction: Direction::Send,
            kind: TimeoutKind::Write,
            since: Some(Instant::now()),
        };
        self.end_of(&wait).left()
    }

    /// What a write was over by that waited for others in vain.
    #[cold]
    pub(super) fn no_turn(&self) -> io::Error {
        match self.end_of_request() {
            Some(end) if end <= Instant::now() => {
                TimedOut::error(TimeoutKind::Request, self.request)
            }
            _ => TimedOut::error(TimeoutKind::Write, self.write.get()),
        }
    }

    fn own(&self, direction: Direction) -> &Time {
        match direction {
            Direction::Receive => &self.receiving,
            Direction::Send => &self.sending,
        }
    }

    fn of(&self, direction: Direction) -> &Time {
        match direction {
            Direction::Receive => &self.read,
            Direction::Send => &self.write,
        }
    }

    fn end_of_request(&self) -> Option<Instant> {
        self.accepted?.checked_add(self.request?)
    }

    /// What ends a wait first.
    fn end_of(&self, wait: &PendingIo) -> End {
        let time = match wait.kind {
            TimeoutKind::FirstByte => self.first_byte,
            TimeoutKind::Idle => self.idle,
            _ => self.of(wait.direction).get(),
        };
        let at = wait
            .since
            .zip(time)
            .and_then(|(since, time)| since.checked_add(time));
        match (self.end_of_request(), at) {
            (Some(end), at) if at.is_none_or(|at| end <= at) => End {
                kind: TimeoutKind::Request,
                time: self.request,
                at: Some(end),
            },
            _ => End {
                kind: wait.kind,
                time,
                at,
            },
        }
    }
}

/// The end of a wait.
struct End {
    kind: TimeoutKind,
    time: Option<Duration>,
    /// `None` is never.
    at: Option<Instant>,
}

impl End {
    fn left(&self) -> Option<Duration> {
        Some(self.at?.saturating_duration_since(Instant::now()))
    }

    fn error(&self) -> io::Error {
        TimedOut::error(self.kind, self.time)
    }
}
