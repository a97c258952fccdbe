//! Moving bytes through the sockets of connections.
//!
//! A handler's reads and writes wait in [`stream_io`] and nowhere else: there it is decided whether that
//! blocks the thread, or lets it go on with other coroutines.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use socket2::SockRef;

use crate::coroutine::{Limit, Task, is_coroutine, with_current};
use crate::sys::poll;
use crate::sys::poll::Direction;
use crate::timeout::{TimedOut, TimeoutKind};

/// Runs one read or write of a request to its end: the only place where a handler waits.
///
/// The sockets of requests are in blocking mode, so `operation`, called with `false`, waits in the
/// kernel, bounded by the socket's own timeout; `WouldBlock` means that this is over. Called with
/// `true`, it must not wait.
#[inline]
fn stream_io<T>(
    fd: BorrowedFd<'_>,
    direction: Direction,
    mut operation: impl FnMut(bool) -> Result<T, Errno>,
) -> io::Result<T> {
    if is_coroutine() {
        return coroutine_io(fd, direction, || operation(true), OnWouldBlock::Park);
    }
    match operation(false) {
        Ok(value) => Ok(value),
        Err(Errno::INTR) => resume(fd, direction, || operation(true)),
        Err(Errno::AGAIN) => Err(timed_out(direction)),
        Err(error) => Err(error.into()),
    }
}

/// What a read or write of a coroutine does if it cannot be done at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnWouldBlock {
    Park,
    /// It is `WouldBlock`.
    Fail,
}

/// The same for a coroutine: it is the worker of its thread that waits.
fn coroutine_io<T>(
    fd: BorrowedFd<'_>,
    direction: Direction,
    mut operation: impl FnMut() -> Result<T, Errno>,
    on_would_block: OnWouldBlock,
) -> io::Result<T> {
    loop {
        let attempt = with_current(|task| {
            task.spend();
            // Where it is known that this is in vain, it is not tried; `before_recv` has asked that for
            // those who do not wait here.
            if on_would_block == OnWouldBlock::Park && task.is_exhausted(fd, direction) {
                return Err(Errno::AGAIN);
            }
            let attempt = operation();
            if let Err(Errno::AGAIN) = attempt {
                task.note(fd, direction, false, true);
            }
            attempt
        });
        match attempt.unwrap_or(Err(Errno::AGAIN)) {
            Ok(value) => return Ok(value),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if on_would_block == OnWouldBlock::Park => {
                coroutine_wait(fd, direction)?
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Lets other coroutines go on until the socket may be ready.
fn coroutine_wait(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<()> {
    if !Task::can_wait() {
        return Err(CannotWait::error());
    }
    match with_current(|task| task.wait_for(fd, direction, Limit::OfSocket)).transpose()? {
        // It may have become ready in time, while another coroutine held up the worker.
        Some(false) if !is_ready(fd, direction)? => Err(timed_out(direction)),
        _ => Ok(()),
    }
}

/// Park until the socket may be ready, whatever timeout it has. `false` if this one is over.
pub(crate) fn wait(
    fd: BorrowedFd<'_>,
    direction: Direction,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    if !is_coroutine() {
        return poll_for(fd, direction, timeout);
    }
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    // The worker is told of changes, and this socket may be ready already.
    while !is_ready(fd, direction)? {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(false);
        }
        if !Task::can_wait() {
            return Err(CannotWait::error());
        }
        with_current(|task| task.wait_for(fd, direction, Limit::Until(deadline))).transpose()?;
    }
    Ok(true)
}

/// A wait that could not even begin.
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
            "the client keeps the handler waiting, which a coroutine cannot do while it panics",
        )
    }
}

impl Error for CannotWait {}

fn is_ready(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<bool> {
    poll_for(fd, direction, Some(Duration::ZERO))
}

fn poll_for(
    fd: BorrowedFd<'_>,
    direction: Direction,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let [ready] = match direction {
        Direction::Receive => poll::wait_readable([fd], timeout)?,
        Direction::Send => poll::wait_writable([fd], timeout)?,
    };
    Ok(ready)
}

/// Park until there may be something to receive, if it is known that there is nothing, or if an attempt
/// was `in_vain`: for coroutines, whose [`recv_spare`] does not wait. Threads wait there.
#[inline]
pub(crate) fn before_recv(fd: BorrowedFd<'_>, in_vain: bool) -> io::Result<()> {
    let known = || with_current(|task| task.is_exhausted(fd, Direction::Receive)) == Some(true);
    if is_coroutine() && (in_vain || known()) {
        return coroutine_wait(fd, Direction::Receive);
    }
    Ok(())
}

/// Goes on after a signal has force_closed a read or write. Just repeating it would start its timeout
/// anew, so that one that is longer than the pause between two signals would never be over.
#[cold]
fn resume<T>(
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

/// The socket's own time is over.
#[cold]
pub(crate) fn timed_out(direction: Direction) -> io::Error {
    let kind = match direction {
        Direction::Receive => TimeoutKind::Read,
        Direction::Send => TimeoutKind::Write,
    };
    TimedOut::error(kind, None)
}

/// Whether an error says that a socket's own time is over. That the kernel has given up a connection
/// (ETIMEDOUT), because the other side is out of reach, is of the same kind.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
        && error.raw_os_error().is_none()
        && !error
            .get_ref()
            .is_some_and(|inner| inner.is::<CannotWait>())
}

/// Receives what is there, waiting for the first byte. 0 is the end of the stream.
#[inline]
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    stream_io(fd, Direction::Receive, |dont_wait| {
        rustix::net::recv(fd, &mut *buffer, recv_flags(dont_wait)).map(|(size, _)| size)
    })
}

/// The same, to the free part of `buffer`. In a coroutine it does not wait, with `buffer` in its hands,
/// but fails with `WouldBlock`: give the buffer back, then [`before_recv`].
#[inline]
pub(crate) fn recv_spare(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut receive = |dont_wait| {
        rustix::net::recv(fd, spare_capacity(buffer), recv_flags(dont_wait)).map(|(_, size)| size)
    };
    if !is_coroutine() {
        return stream_io(fd, Direction::Receive, receive);
    }
    let received = coroutine_io(fd, Direction::Receive, || receive(true), OnWouldBlock::Fail);
    if received.is_ok() {
        // What leaves room in the buffer has taken all there was; the next attempt can be saved.
        let exhausted = buffer.len() < buffer.capacity();
        with_current(|task| task.note(fd, Direction::Receive, true, exhausted));
    }
    received
}

fn recv_flags(dont_wait: bool) -> RecvFlags {
    if dont_wait {
        RecvFlags::DONTWAIT
    } else {
        RecvFlags::empty()
    }
}

/// Sends some of `data`, waiting for room. A vanished client is an error, never a SIGPIPE.
#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    stream_io(fd, Direction::Send, |dont_wait| {
        let flags = if dont_wait {
            SendFlags::DONTWAIT
        } else {
            SendFlags::empty()
        };
        rustix::net::send(fd, data, flags | SendFlags::NOSIGNAL)
    })
}

/// Ends one direction or both. (`std` would do it by the C library: another page of code for a forked
/// child to map.)
pub(crate) fn shutdown(fd: BorrowedFd<'_>, how: std::net::Shutdown) -> io::Result<()> {
    let how = match how {
        std::net::Shutdown::Read => Shutdown::Read,
        std::net::Shutdown::Write => Shutdown::Write,
        std::net::Shutdown::Both => Shutdown::Both,
    };
    Ok(rustix::net::shutdown(fd, how)?)
}

/// Sends as much of `data` as there is room for right now, without waiting.
pub(crate) fn try_send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(rustix::net::send(fd, data, flags)?)
}

/// Throws away what was received and not read, up to a limit, without waiting.
// Not a part of its caller, whose stack it would make larger for all who do not need this.
#[inline(never)]
pub(crate) fn discard_input(fd: BorrowedFd<'_>) {
    let mut buffer = [0; 16 * 1024];
    for _ in 0..64 {
        match rustix::net::recv(fd, &mut buffer, RecvFlags::DONTWAIT) {
            Ok((1.., _)) => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use nix::libc;
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::sys::socket::set_timeout;

    /// Runs `work` while its thread is force_closed by one signal after the other.
    fn under_signals<T>(work: impl FnOnce() -> T) -> T {
        extern "C" fn ignore(_: libc::c_int) {}
        // Without SA_RESTART, so that force_closed calls fail with EINTR.
        let action = SigAction::new(
            SigHandler::Handler(ignore),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing, which is safe in signal context.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        // SAFETY: it has no preconditions.
        let target = unsafe { libc::pthread_self() };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let interrupter = scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    // SAFETY: the thread lives, because it waits below until this loop has ended.
                    unsafe { libc::pthread_kill(target, libc::SIGUSR1) };
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
