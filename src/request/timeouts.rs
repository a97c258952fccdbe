//! The timeouts of a connection, and which of them applies to a read or write.
//!
//! The kernel measures the time. A socket has one timeout for receiving and one for sending, which cost
//! nothing until they expire. They are set to the shortest timeout that may apply. If a socket's timeout
//! expires before the timeout that applies, the rest of the time is waited for here. Therefore a read or
//! write that does not time out costs no additional system call, and the clock is read only if the
//! connection has a request timeout.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::request::direction::{DirectionTimeouts, socket_timeout, wait_ready};
use crate::request::pending_io::{Expiration, PendingIo};
use crate::request::stream_socket::StreamSocket;
use crate::sys::poll::Direction;
use crate::sys::socket::check_timeout;
use crate::timeout::{TimedOut, TimeoutConfig, TimeoutKind};

/// The handler has received nothing yet.
const NO_INPUT: u8 = 0;
/// The last transfer was from the client to the handler.
const INPUT_LAST: u8 = 1;
/// The last transfer was to the client, after input.
const OUTPUT_LAST: u8 = 2;

/// The timeouts of one connection, and the facts that decide which of them applies.
pub(super) struct ConnectionTimeouts {
    /// The timeouts of each read and each write. The handler can change them.
    per_call: DirectionTimeouts,
    first_byte: Option<Duration>,
    idle: Option<Duration>,
    request: Option<Duration>,
    linger: Option<Duration>,
    /// When the connection was accepted. Set only if `first_byte` or `request` is.
    accepted: Option<Instant>,
    /// When the handshake was complete, from which `first_byte` counts.
    handshake_end: OnceLock<Instant>,
    /// The timeouts that the socket itself has.
    socket: DirectionTimeouts,
    /// `NO_INPUT`, `INPUT_LAST` or `OUTPUT_LAST`.
    progress: AtomicU8,
    /// The expiration of the request timeout has been counted.
    request_timeout_recorded: AtomicBool,
}

impl ConnectionTimeouts {
    /// Size in bytes of the largest single write if there is a request timeout: in a larger write to a
    /// Unix socket, the socket's timeout begins again with each part that the kernel has space for.
    const MAX_TIMED_WRITE: usize = 64 * 1024;

    /// The kernel counts in ticks of up to 10 ms. A socket's timeout is not shortened further because of
    /// the request timeout.
    const TICK: Duration = Duration::from_millis(10);

    /// The kernel rounds a timeout up by at most this much.
    const ROUNDING: Duration = Self::TICK;

    /// The timeouts of a connection that was just accepted, if it has any. Its socket has been set to
    /// [`TimeoutConfig::socket_timeouts`].
    pub(super) fn new(config: &TimeoutConfig) -> Option<Self> {
        if config.is_empty() {
            return None;
        }
        let (receive, send) = config.socket_timeouts();
        let counts_from_accept = config.first_byte.or(config.request).is_some();
        Some(Self {
            per_call: DirectionTimeouts::new(config.read, config.write),
            first_byte: config.first_byte,
            idle: config.idle,
            request: config.request,
            linger: config.linger,
            accepted: counts_from_accept.then(Instant::now),
            handshake_end: OnceLock::new(),
            socket: DirectionTimeouts::new(receive, send),
            progress: AtomicU8::new(NO_INPUT),
            request_timeout_recorded: AtomicBool::new(false),
        })
    }

    /// Records that the request timeout expired. Returns `true` the first time.
    pub(super) fn record_request_timeout(&self) -> bool {
        !self.request_timeout_recorded.swap(true, Ordering::Relaxed)
    }

    /// How long to wait, after the request, until the client ends its side.
    pub(super) fn linger(&self) -> Option<Duration> {
        self.linger
    }

    /// Records that the handshake is complete.
    pub(super) fn record_handshake(&self) {
        if self.first_byte.is_some() {
            let _ = self.handshake_end.set(Instant::now());
        }
    }

    /// Records that the handler got bytes from the client.
    #[inline]
    pub(super) fn record_input(&self) {
        if self.progress.load(Ordering::Relaxed) != INPUT_LAST {
            self.progress.store(INPUT_LAST, Ordering::Relaxed);
        }
    }

    /// Records that bytes were sent to the client.
    #[inline]
    pub(super) fn record_output(&self) {
        if self.progress.load(Ordering::Relaxed) == INPUT_LAST {
            self.progress.store(OUTPUT_LAST, Ordering::Relaxed);
        }
    }

    /// Size in bytes of the largest single write.
    #[inline]
    pub(super) fn max_write(&self) -> usize {
        if self.request.is_some() {
            Self::MAX_TIMED_WRITE
        } else {
            usize::MAX
        }
    }

    /// Begins a read: decides which timeout applies to it.
    #[inline]
    pub(super) fn begin_read(&self, socket: &impl StreamSocket) -> io::Result<PendingIo> {
        self.check_request_timeout(Direction::Receive, socket)?;
        match self.progress.load(Ordering::Relaxed) {
            NO_INPUT if self.first_byte.is_some() => self.begin_first_read(socket),
            OUTPUT_LAST if self.idle.is_some() => Ok(PendingIo::read(TimeoutKind::Idle, None)),
            _ => Ok(PendingIo::read(TimeoutKind::Read, None)),
        }
    }

    /// Begins the first read. Its timeout began when the connection was accepted, or when its handshake was complete.
    /// The begin can be long ago, if the request waited for a thread; input that arrived meanwhile is in time.
    #[cold]
    fn begin_first_read(&self, socket: &impl StreamSocket) -> io::Result<PendingIo> {
        let begin = self.first_byte_begin();
        let read = PendingIo::read(TimeoutKind::FirstByte, begin);
        // The socket's timeout begins now. Being late by 1/16 of it is tolerated.
        let passed = begin.map(|begin| begin.elapsed());
        let tolerated = self
            .socket
            .get(Direction::Receive)
            .map(|timeout| timeout / 16);
        if passed > tolerated {
            let expiration = self.expiration(&read);
            if !wait_ready(read.direction, socket, expiration.remaining())? {
                return Err(expiration.error());
            }
        }
        Ok(read)
    }

    fn first_byte_begin(&self) -> Option<Instant> {
        self.handshake_end.get().copied().or(self.accepted)
    }

    /// Begins a write, or a part of a write that began at `started`.
    #[inline]
    pub(super) fn begin_write(
        &self,
        socket: &impl StreamSocket,
        started: Option<Instant>,
    ) -> io::Result<PendingIo> {
        self.check_request_timeout(Direction::Send, socket)?;
        Ok(PendingIo::write(started))
    }

    /// Fails if the request timeout has expired. If it will soon, shortens the socket's timeouts, which
    /// begin again with each read and write.
    #[inline]
    fn check_request_timeout(
        &self,
        direction: Direction,
        socket: &impl StreamSocket,
    ) -> io::Result<()> {
        let Some(end) = self.request_end() else {
            return Ok(());
        };
        let remaining = end.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(TimedOut::error(TimeoutKind::Request, self.request));
        }
        let timeout = self.socket.get(direction);
        if timeout.is_none_or(|timeout| timeout > 2 * Self::TICK && timeout > remaining / 2) {
            return self.shorten_socket_timeouts(direction, socket);
        }
        Ok(())
    }

    /// Sets the socket's timeouts to at most a quarter of what is left of the request timeout. That is
    /// short enough until half of the rest has passed. Therefore a request needs this only a few times,
    /// for any number of reads and writes.
    #[cold]
    fn shorten_socket_timeouts(
        &self,
        direction: Direction,
        socket: &impl StreamSocket,
    ) -> io::Result<()> {
        self.adopt_socket_timeout(direction, socket);
        self.update_socket_timeouts(socket)
    }

    fn update_socket_timeouts(&self, socket: &impl StreamSocket) -> io::Result<()> {
        let remaining = |end: Instant| end.saturating_duration_since(Instant::now());
        let remaining = self.request_end().map(remaining);
        let has_no_input = self.progress.load(Ordering::Relaxed) == NO_INPUT;
        let config = TimeoutConfig {
            read: self.per_call.get(Direction::Receive),
            write: self.per_call.get(Direction::Send),
            first_byte: self.first_byte.filter(|_| has_no_input),
            idle: self.idle,
            request: remaining.map(|remaining| remaining.max(4 * Self::TICK)),
            linger: None,
            handshake: None,
        };
        let (receive, send) = config.socket_timeouts();
        socket.set_timeouts(receive, send)?;
        self.socket.set(Direction::Receive, receive);
        self.socket.set(Direction::Send, send);
        self.record_socket_timeouts(socket);
        Ok(())
    }

    /// Records the timeouts that the socket reports, which can differ from those that were set.
    pub(super) fn record_socket_timeouts(&self, socket: &impl StreamSocket) {
        for direction in [Direction::Receive, Direction::Send] {
            if let Some(timeout) = socket_timeout(direction, socket) {
                self.socket.set(direction, Some(timeout));
            }
        }
    }

    /// Changes the timeouts of each read and each write.
    pub(super) fn set_timeout(
        &self,
        timeout: Option<Duration>,
        socket: &impl StreamSocket,
    ) -> io::Result<()> {
        check_timeout(timeout)?;
        self.per_call.set(Direction::Receive, timeout);
        self.per_call.set(Direction::Send, timeout);
        self.update_socket_timeouts(socket)
    }

    /// Returns the timeout that the socket reports. If it is not the recorded one, the handler has set it
    /// on the socket itself, and from now on it is the timeout of each call too.
    fn adopt_socket_timeout(
        &self,
        direction: Direction,
        socket: &impl StreamSocket,
    ) -> Option<Duration> {
        let reported = socket_timeout(direction, socket)?;
        let is_recorded = self.socket.get(direction).is_some_and(|recorded| {
            reported >= recorded && reported.saturating_sub(recorded) <= Self::ROUNDING
        });
        if !is_recorded {
            self.socket.set(direction, Some(reported));
            self.per_call.set(direction, Some(reported));
        }
        Some(reported)
    }

    /// Continues the wait of a read or write after the socket's timeout has expired. Fails if the
    /// timeout that applies expires too.
    #[cold]
    pub(super) fn continue_wait(
        &self,
        pending: &mut PendingIo,
        socket: &impl StreamSocket,
    ) -> io::Result<()> {
        let passed = self.adopt_socket_timeout(pending.direction, socket);
        let passed = passed.unwrap_or_default();
        pending.since = pending.since.or_else(|| Instant::now().checked_sub(passed));
        let expiration = self.expiration(pending);
        let remaining = expiration.remaining();
        if remaining == Some(Duration::ZERO) || !wait_ready(pending.direction, socket, remaining)? {
            return Err(expiration.error());
        }
        Ok(())
    }

    /// Fails if a timeout of a write that began at `started` has expired.
    pub(super) fn check_write(
        &self,
        socket: &impl StreamSocket,
        started: Instant,
    ) -> io::Result<()> {
        self.adopt_socket_timeout(Direction::Send, socket);
        let expiration = self.expiration(&PendingIo::write(Some(started)));
        match expiration.remaining() {
            Some(Duration::ZERO) => Err(expiration.error()),
            _ => Ok(()),
        }
    }

    /// How long a write may wait until other writes to the same client have ended.
    #[cold]
    pub(super) fn write_lock_timeout(&self, socket: &impl StreamSocket) -> Option<Duration> {
        self.adopt_socket_timeout(Direction::Send, socket);
        let write = PendingIo::write(Some(Instant::now()));
        self.expiration(&write).remaining()
    }

    /// The error of a write for which [`write_lock_timeout`](Self::write_lock_timeout) expired.
    #[cold]
    pub(super) fn write_lock_error(&self) -> io::Error {
        match self.request_end() {
            Some(end) if end <= Instant::now() => {
                TimedOut::error(TimeoutKind::Request, self.request)
            }
            _ => TimedOut::error(TimeoutKind::Write, self.per_call.get(Direction::Send)),
        }
    }

    /// When the request timeout expires.
    fn request_end(&self) -> Option<Instant> {
        self.accepted?.checked_add(self.request?)
    }

    /// The timeout that expires first: the request timeout, or the timeout of the read or write.
    fn expiration(&self, pending: &PendingIo) -> Expiration {
        let timeout = match pending.kind {
            TimeoutKind::FirstByte => self.first_byte,
            TimeoutKind::Idle => self.idle,
            _ => self.per_call.get(pending.direction),
        };
        let at = pending
            .since
            .zip(timeout)
            .and_then(|(since, timeout)| since.checked_add(timeout));
        match (self.request_end(), at) {
            (Some(end), at) if at.is_none_or(|at| end <= at) => Expiration {
                kind: TimeoutKind::Request,
                timeout: self.request,
                at: Some(end),
            },
            _ => Expiration {
                kind: pending.kind,
                timeout,
                at,
            },
        }
    }
}
