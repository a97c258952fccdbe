//! When the reads and writes of a connection are over.
//!
//! It is the kernel that keeps the time: a socket has a timeout for receiving and one for sending, which
//! cost nothing until they are over. They are set to the shortest time that may count. When one is over
//! before the time that does count, what is left of it is waited for here. So there is no system call more
//! for a read or a write that is in time, and a look at the clock only where a whole request has a time.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::StreamSocket;
use crate::sys::socket::check_timeout;
use crate::timeout::{Deadlines, TimedOut, TimeoutKind};

/// One of the two ways of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Read,
    Write,
}

impl Way {
    /// What it ran out of if nothing more is known.
    fn kind(self) -> TimeoutKind {
        match self {
            Self::Read => TimeoutKind::Read,
            Self::Write => TimeoutKind::Write,
        }
    }

    /// The time that a socket has for it, if it says so.
    fn time_of(self, socket: &impl StreamSocket) -> Option<Duration> {
        match self {
            Self::Read => socket.read_timeout(),
            Self::Write => socket.timeout(),
        }
    }

    fn wait(self, socket: &impl StreamSocket, timeout: Option<Duration>) -> io::Result<bool> {
        match self {
            Self::Read => socket.wait_readable(timeout),
            Self::Write => socket.wait_writable(timeout),
        }
    }

    /// The error of a connection that only the socket keeps the time of.
    #[cold]
    pub(super) fn timed_out(self, socket: &impl StreamSocket) -> io::Error {
        TimedOut::error(self.kind(), self.time_of(socket))
    }
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
pub(super) struct Clock {
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
}

/// A read or write that may have to wait.
pub(super) struct Wait {
    way: Way,
    kind: TimeoutKind,
    /// When its time began, if that was looked at.
    since: Option<Instant>,
}

impl Wait {
    /// One that has just begun to wait.
    fn new(kind: TimeoutKind, way: Way) -> Self {
        let since = None;
        Self { way, kind, since }
    }
}

impl Clock {
    /// How much is written at once where a whole request has a time: a write of more to a Unix socket has
    /// the socket's own time for each part of it that there is room for.
    const PIECE: usize = 64 * 1024;

    /// A socket's own time is not made shorter than this to be in time for the end of the request: the
    /// kernel counts in ticks of up to 10 ms.
    const TICK: Duration = Duration::from_millis(10);

    /// What the kernel makes of a time is at most this much longer.
    const ROUNDING: Duration = Self::TICK;

    /// For a connection that was just accepted, whose socket has been set to
    /// [`Deadlines::of_socket`].
    pub(super) fn new(deadlines: &Deadlines) -> Option<Self> {
        if deadlines.is_empty() {
            return None;
        }
        let (receiving, sending) = deadlines.of_socket();
        let counts_from_accept = deadlines.first_byte.or(deadlines.request).is_some();
        Some(Self {
            read: Time::new(deadlines.read),
            write: Time::new(deadlines.write),
            first_byte: deadlines.first_byte,
            idle: deadlines.idle,
            request: deadlines.request,
            linger: deadlines.linger,
            accepted: counts_from_accept.then(Instant::now),
            receiving: Time::new(receiving),
            sending: Time::new(sending),
            progress: AtomicU8::new(SILENT),
        })
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
    pub(super) fn begin_read(&self, socket: &impl StreamSocket) -> io::Result<Wait> {
        self.approach(Way::Read, socket)?;
        match self.progress.load(Ordering::Relaxed) {
            SILENT if self.first_byte.is_some() => self.begin_first_read(socket),
            ANSWERED if self.idle.is_some() => Ok(Wait::new(TimeoutKind::Idle, Way::Read)),
            _ => Ok(Wait::new(TimeoutKind::Read, Way::Read)),
        }
    }

    /// The first one. Its time has begun when the client was accepted: long ago, maybe, if the handler was
    /// waiting for a thread. What has come meanwhile has come in time.
    #[cold]
    fn begin_first_read(&self, socket: &impl StreamSocket) -> io::Result<Wait> {
        let mut wait = Wait::new(TimeoutKind::FirstByte, Way::Read);
        wait.since = self.accepted;
        let passed = self.accepted.map(|accepted| accepted.elapsed());
        let soon = self.receiving.get().map(|time| time / 16);
        if passed > soon {
            let end = self.end_of(&wait);
            if !wait.way.wait(socket, end.left())? {
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
    ) -> io::Result<Wait> {
        self.approach(Way::Write, socket)?;
        let mut wait = Wait::new(TimeoutKind::Write, Way::Write);
        wait.since = started;
        Ok(wait)
    }

    /// Looks whether the request as a whole is over, or nearly: then the socket's own time, which begins
    /// anew with each read and write, may be too long.
    #[inline]
    fn approach(&self, way: Way, socket: &impl StreamSocket) -> io::Result<()> {
        let Some(end) = self.end_of_request() else {
            return Ok(());
        };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(TimedOut::error(TimeoutKind::Request, self.request));
        }
        let own = self.own(way).get();
        if own.is_none_or(|own| own > 2 * Self::TICK && own > left / 2) {
            return self.shorten(way, socket);
        }
        Ok(())
    }

    /// Makes the socket's own times so short that they are good for half of what is left of the request.
    /// That is to be done again when the other half is over, and so on: a few times in all, however many
    /// reads and writes there are.
    #[cold]
    fn shorten(&self, way: Way, socket: &impl StreamSocket) -> io::Result<()> {
        self.adopt(way, socket);
        self.set_own(socket)
    }

    fn set_own(&self, socket: &impl StreamSocket) -> io::Result<()> {
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        let left = self.end_of_request().map(left);
        let first_byte = self.first_byte;
        let is_silent = self.progress.load(Ordering::Relaxed) == SILENT;
        let deadlines = Deadlines {
            read: self.read.get(),
            write: self.write.get(),
            first_byte: first_byte.filter(|_| is_silent),
            idle: self.idle,
            request: left.map(|left| left.max(4 * Self::TICK)),
            linger: None,
        };
        let (receiving, sending) = deadlines.of_socket();
        socket.set_timeouts(receiving, sending)?;
        self.receiving.set(receiving);
        self.sending.set(sending);
        self.note_own(socket);
        Ok(())
    }

    /// Notes which times the socket has, which need not be those that it was asked to have.
    pub(super) fn note_own(&self, socket: &impl StreamSocket) {
        for way in [Way::Read, Way::Write] {
            if let Some(time) = way.time_of(socket) {
                self.own(way).set(Some(time));
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
    fn adopt(&self, way: Way, socket: &impl StreamSocket) -> Option<Duration> {
        let found = way.time_of(socket)?;
        let own = self.own(way).get();
        let is_own =
            own.is_some_and(|own| found >= own && found.saturating_sub(own) <= Self::ROUNDING);
        if !is_own {
            self.own(way).set(Some(found));
            self.of(way).set(Some(found));
        }
        Some(found)
    }

    /// Goes on waiting, because the socket's own time is over, if that is not the one that counts.
    #[cold]
    pub(super) fn wait_on(&self, wait: &mut Wait, socket: &impl StreamSocket) -> io::Result<()> {
        let passed = self.adopt(wait.way, socket).unwrap_or_default();
        wait.since = wait.since.or_else(|| Instant::now().checked_sub(passed));
        let end = self.end_of(wait);
        let left = end.left();
        if left == Some(Duration::ZERO) || !wait.way.wait(socket, left)? {
            return Err(end.error());
        }
        Ok(())
    }

    /// Whether a write that began at `started` has had its time.
    pub(super) fn end_write(&self, socket: &impl StreamSocket, started: Instant) -> io::Result<()> {
        self.adopt(Way::Write, socket);
        let end = self.end_of(&Wait {
            way: Way::Write,
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
        self.adopt(Way::Write, socket);
        let wait = Wait {
            way: Way::Write,
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

    fn own(&self, way: Way) -> &Time {
        match way {
            Way::Read => &self.receiving,
            Way::Write => &self.sending,
        }
    }

    fn of(&self, way: Way) -> &Time {
        match way {
            Way::Read => &self.read,
            Way::Write => &self.write,
        }
    }

    fn end_of_request(&self) -> Option<Instant> {
        self.accepted?.checked_add(self.request?)
    }

    /// What ends a wait first.
    fn end_of(&self, wait: &Wait) -> End {
        let time = match wait.kind {
            TimeoutKind::FirstByte => self.first_byte,
            TimeoutKind::Idle => self.idle,
            _ => self.of(wait.way).get(),
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
