//! Reads from and writes to the sockets of connections.
//!
//! A handler's reads and writes wait in [`stream_io`] and nowhere else. It decides whether a wait blocks
//! the thread, or lets the thread run other coroutines.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::coroutine::{Attempt, Task, WaitLimit, is_coroutine, with_current};
use crate::disconnect::ClientGone;
use crate::errno::Errno;
use crate::sys::fd::BorrowedFd;
use crate::sys::interrupt;
use crate::sys::poll::Direction;
use crate::sys::transfer;
use crate::timeout::{TimedOut, TimeoutKind};

/// Runs one read or write of a request. This is the only place where a handler waits.
///
/// `operation(true)` may wait in the system call, if it [can](transfer::CAN_WAIT): at most for the socket's own
/// timeout, and `WouldBlock` then means that the timeout has expired. `operation(false)` must not wait.
#[inline]
fn stream_io<T>(
    fd: BorrowedFd<'_>,
    direction: Direction,
    mut operation: impl FnMut(bool) -> Result<T, Errno>,
) -> io::Result<T> {
    if is_coroutine() {
        return coroutine_io(fd, direction, || operation(false), OnWouldBlock::Park);
    }
    match operation(true) {
        Ok(value) => Ok(value),
        Err(Errno::AGAIN) if transfer::CAN_WAIT => Err(timed_out(direction)),
        Err(Errno::INTR | Errno::AGAIN) => wait_and_retry(fd, direction, || operation(false)),
        Err(error) => Err(error.into()),
    }
}

/// Reaction of a coroutine to `WouldBlock`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnWouldBlock {
    /// Wait, and try again.
    Park,
    /// Return the error.
    Fail,
}

/// Runs one read or write of a coroutine. If it waits, the worker runs other coroutines.
fn coroutine_io<T>(
    fd: BorrowedFd<'_>,
    direction: Direction,
    mut operation: impl FnMut() -> Result<T, Errno>,
    on_would_block: OnWouldBlock,
) -> io::Result<T> {
    loop {
        let result = with_current(|task| {
            task.spend();
            // Skips attempts that are known to fail. For `Fail`, `before_recv` has checked this.
            if on_would_block == OnWouldBlock::Park && task.expects_would_block(fd, direction) {
                return Err(Errno::AGAIN);
            }
            let result = operation();
            if let Err(Errno::AGAIN) = result {
                task.record_attempt(fd, direction, Attempt::WouldBlock);
            }
            result
        });
        match result.unwrap_or(Err(Errno::AGAIN)) {
            Ok(value) => return Ok(value),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if on_would_block == OnWouldBlock::Park => {
                park_coroutine(fd, direction)?
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Suspends the coroutine until the socket may be ready, at most for the socket's own timeout.
fn park_coroutine(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<()> {
    if !Task::can_wait() {
        return Err(CannotWait::error());
    }
    let in_time =
        with_current(|task| task.wait_for_socket(fd, direction, WaitLimit::SocketTimeout));
    match in_time.transpose()? {
        // The socket may have become ready in time, while another coroutine blocked the worker.
        Some(false) if !is_ready(fd, direction)? => Err(timed_out(direction)),
        _ => Ok(()),
    }
}

/// Waits until the socket may be ready, at most `timeout`. The socket's own timeout does not count.
/// `None` waits without limit. Returns `false` if the time has passed.
pub(crate) fn wait(
    fd: BorrowedFd<'_>,
    direction: Direction,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    if !is_coroutine() {
        return poll_for(fd, direction, timeout);
    }
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    // The worker is notified of changes only, and this socket may be ready already.
    while !is_ready(fd, direction)? {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(false);
        }
        if !Task::can_wait() {
            return Err(CannotWait::error());
        }
        let limit = WaitLimit::Until(deadline);
        with_current(|task| task.wait_for_socket(fd, direction, limit)).transpose()?;
    }
    Ok(true)
}

/// Error of a read or write that would have to wait in a coroutine that panics.
#[derive(Debug)]
struct CannotWait;

impl CannotWait {
    fn error() -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, Self)
    }
}

impl fmt::Display for CannotWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the read or write would have to wait for the client, and a coroutine cannot wait while \
             it panics",
        )
    }
}

impl Error for CannotWait {}

fn is_ready(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<bool> {
    poll_for(fd, direction, Some(Duration::ZERO))
}

/// Waits in the thread. A [shutdown](transfer::shutdown) ends the wait.
fn poll_for(
    fd: BorrowedFd<'_>,
    direction: Direction,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    interrupt::wait(fd, direction, timeout)
}

/// In a coroutine, waits until there may be something to receive, if `would_block` (the last attempt
/// failed with `WouldBlock`) or if the next attempt is expected to. Threads wait in [`recv_spare`]
/// instead.
#[inline]
pub(crate) fn before_recv(fd: BorrowedFd<'_>, would_block: bool) -> io::Result<()> {
    let is_expected =
        || with_current(|task| task.expects_would_block(fd, Direction::Receive)) == Some(true);
    if is_coroutine() && (would_block || is_expected()) {
        return park_coroutine(fd, Direction::Receive);
    }
    Ok(())
}

/// Continues a read or write of a thread that would have to wait, or that a signal has interrupted. A plain
/// repetition would restart its timeout, which would then never expire if signals come more often.
#[cfg_attr(kernel_waits, cold)]
fn wait_and_retry<T>(
    fd: BorrowedFd<'_>,
    direction: Direction,
    mut operation: impl FnMut() -> Result<T, Errno>,
) -> io::Result<T> {
    let socket = SockRef::from(&fd);
    let timeout = match direction {
        Direction::Receive => socket.read_timeout()?,
        Direction::Send => socket.write_timeout()?,
    };
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if !poll_for(fd, direction, left)? {
            return Err(timed_out(direction));
        }
        match operation() {
            Ok(value) => return Ok(value),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The error for a read or write whose socket timeout has expired.
#[cold]
pub(crate) fn timed_out(direction: Direction) -> io::Error {
    let kind = match direction {
        Direction::Receive => TimeoutKind::Read,
        Direction::Send => TimeoutKind::Write,
    };
    TimedOut::error(kind, None)
}

/// Returns whether an error reports that a socket timeout has expired. The kernel's `ETIMEDOUT` has the
/// same kind but another meaning: it gave the connection up, because the client cannot be reached.
/// `error` may be marked as such already.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
        && error.raw_os_error().is_none()
        && ClientGone::cause_of(error).is_none()
        && !error
            .get_ref()
            .is_some_and(|inner| inner.is::<CannotWait>())
}

/// Receives available bytes, and waits for the first. Returns 0 at the end of the stream.
#[inline]
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    stream_io(fd, Direction::Receive, |may_wait| {
        transfer::recv(fd, buffer, may_wait)
    })
}

/// Like [`recv`], into the spare capacity of `buffer`. In a coroutine, it fails with `WouldBlock` instead
/// of waiting, so that idle connections hold no buffer. The caller releases `buffer`, calls
/// [`before_recv`], and tries again.
#[inline]
pub(crate) fn recv_spare(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut receive = |may_wait| transfer::recv_spare(fd, buffer, may_wait);
    if !is_coroutine() {
        return stream_io(fd, Direction::Receive, receive);
    }
    let receive = || receive(false);
    let received = coroutine_io(fd, Direction::Receive, receive, OnWouldBlock::Fail);
    if received.is_ok() {
        // If the buffer is not full, nothing is left to receive, and the next attempt can be skipped.
        let exhausted = buffer.len() < buffer.capacity();
        let attempt = Attempt::Moved { exhausted };
        with_current(|task| task.record_attempt(fd, Direction::Receive, attempt));
    }
    received
}

/// Sends a part of `data`, and waits for space. Returns the number of bytes sent. If the client has
/// closed its socket, this is an error, never a SIGPIPE.
#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    stream_io(fd, Direction::Send, |may_wait| {
        transfer::send(fd, data, may_wait)
    })
}

/// Sends as much of `data` as there is space for, without waiting. Returns the number of bytes sent.
pub(crate) fn try_send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    Ok(transfer::send(fd, data, false)?)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use nix::libc;
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use super::*;
    use crate::sys::fd::AsFd;
    use crate::sys::socket::set_timeout;

    /// Runs `work` while signals interrupt its thread continuously.
    fn under_signals<T>(work: impl FnOnce() -> T) -> T {
        extern "C" fn ignore(_: libc::c_int) {}
        // Without SA_RESTART, interrupted calls fail with EINTR.
        let action = SigAction::new(
            SigHandler::Handler(ignore),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing, which is safe in signal context.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        // SAFETY: `pthread_self` has no preconditions.
        let target = unsafe { libc::pthread_self() } as usize; // a pointer on some systems, which threads cannot share
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let interrupter = scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    // SAFETY: the thread is alive, because it joins this one below.
                    unsafe { libc::pthread_kill(target as libc::pthread_t, libc::SIGUSR1) };
                    thread::yield_now();
                }
            });
            let result = work();
            done.store(true, Ordering::SeqCst);
            interrupter.join().unwrap();
            result
        })
    }

    #[test]
    fn a_timeout_is_over_in_time_although_signals_come() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        set_timeout(socket.as_fd(), Some(Duration::from_millis(50))).unwrap();
        let error = under_signals(|| recv(socket.as_fd(), &mut [0; 10])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = under_signals(|| {
            loop {
                if let Err(error) = send(socket.as_fd(), &[0; 10_000]) {
                    return error;
                }
            }
        });
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn bytes_arrive_although_signals_come() {
        let (socket, peer) = UnixStream::pair().unwrap();
        let received = thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut received = 0;
                let mut buffer = [0; 1000];
                while received < 1_000_000 {
                    received += recv(peer.as_fd(), &mut buffer).unwrap();
                }
                received
            });
            under_signals(|| {
                let mut sent = 0;
                while sent < 1_000_000 {
                    sent += send(socket.as_fd(), &[0; 1000]).unwrap();
                }
            });
            reader.join().unwrap()
        });
        assert_eq!(received, 1_000_000);
    }

    #[test]
    fn a_timeout_below_what_the_kernel_counts_is_not_none() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        set_timeout(socket.as_fd(), Some(Duration::from_nanos(1))).unwrap();
        let error = recv(socket.as_fd(), &mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
