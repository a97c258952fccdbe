//! Waits for descriptors, with `poll(2)`.
//!
//! `poll` has two advantages over `epoll`: it keeps no state in the kernel, so a forked child cannot
//! disturb its parent through an inherited epoll set; and it is as fast with two or three descriptors.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::RecvFlags;

use crate::errno::Errno;
use crate::sys::descriptor;
use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::flags::RECV_WITHOUT_WAIT;

/// Direction of a transfer through a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Receive,
    Send,
}

/// Interval between two polls for space to send to a client that has ended its side. Some systems report that end
/// to every poll, which then does not wait for the space.
#[cfg(not(linux_api))]
pub(super) const SEND_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until at least one of `fds` is readable or `timeout` expires. Returns for each whether it is
/// readable. A descriptor with an error counts as readable, because a read then returns the error.
/// `None` waits without limit.
///
/// After a signal, the wait continues for the rest of the timeout.
pub(crate) fn wait_readable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    wait(fds, PollFlags::IN, timeout)
}

/// Waits until at least one of `fds` is writable; see [`wait_readable`].
pub(crate) fn wait_writable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    wait(fds, PollFlags::OUT, timeout)
}

/// Waits for any number of descriptors; see [`wait_readable`].
pub(crate) fn wait_any_readable<'a>(
    fds: impl IntoIterator<Item = BorrowedFd<'a>>,
    timeout: Option<Duration>,
) -> io::Result<Vec<bool>> {
    wait_any(fds, PollFlags::IN, timeout)
}

/// Waits for any number of descriptors to become writable; see [`wait_readable`].
pub(crate) fn wait_any_writable<'a>(
    fds: impl IntoIterator<Item = BorrowedFd<'a>>,
    timeout: Option<Duration>,
) -> io::Result<Vec<bool>> {
    wait_any(fds, PollFlags::OUT, timeout)
}

/// Returns whether the other side of a stream socket has ended its sending side or is gone. Also `true` if
/// this side has shut down its reads.
pub(crate) fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let [hung_up] = wait([fd], HANG_UP, Some(Duration::ZERO)).unwrap_or([false]);
    hung_up || !CAN_POLL_HANG_UP && is_at_end(fd)
}

/// Returns whether a stream socket is shut down in both directions, or has an error.
pub(crate) fn is_broken(fd: BorrowedFd<'_>) -> bool {
    let [broken] = wait([fd], PollFlags::empty(), Some(Duration::ZERO)).unwrap_or([false]);
    broken
}

/// Waits until the other side of a stream socket [hangs up](is_hung_up), or until `waker` is readable. Returns
/// whether it has hung up.
pub(crate) fn wait_for_hang_up(fd: BorrowedFd<'_>, waker: impl AsFd) -> io::Result<bool> {
    let socket = PollFd::from_borrowed_fd(fd, HANG_UP);
    let mut polled = [
        socket,
        PollFd::from_borrowed_fd(waker.as_fd(), PollFlags::IN),
    ];
    // `poll` reports errors and hang-ups in both directions everywhere; elsewhere, the rest is asked for.
    let interval = (!CAN_POLL_HANG_UP).then_some(HANG_UP_INTERVAL);
    loop {
        poll(&mut polled, interval)?;
        let [hung_up, woken] = [&polled[0], &polled[1]].map(|fd| !fd.revents().is_empty());
        if hung_up || woken {
            return Ok(hung_up);
        }
        if is_at_end(fd) {
            return Ok(true);
        }
    }
}

/// Returns whether the next read would return the end of the stream or an error.
fn is_at_end(fd: BorrowedFd<'_>) -> bool {
    descriptor::prepare_without_wait(fd);
    let flags = RecvFlags::PEEK | RECV_WITHOUT_WAIT;
    match rustix::net::recv(fd, &mut [0; 1][..], flags) {
        Ok((_, size)) => size == 0,
        Err(error) => error != Errno::AGAIN && error != Errno::INTR,
    }
}

#[cfg(linux_api)]
const HANG_UP: PollFlags = PollFlags::RDHUP;
#[cfg(not(linux_api))]
const HANG_UP: PollFlags = PollFlags::empty();

/// Whether `poll` reports the end of the other side's sending side while unread input is left.
const CAN_POLL_HANG_UP: bool = !HANG_UP.is_empty();
const HANG_UP_INTERVAL: Duration = Duration::from_millis(200);

fn wait_any<'a>(
    fds: impl IntoIterator<Item = BorrowedFd<'a>>,
    readiness: PollFlags,
    timeout: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let poll_fd = |fd| PollFd::from_borrowed_fd(fd, readiness);
    let mut polled: Vec<_> = fds.into_iter().map(poll_fd).collect();
    poll(&mut polled, timeout)?;
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

fn wait<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    readiness: PollFlags,
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| PollFd::from_borrowed_fd(fd, readiness));
    poll(&mut polled, timeout)?;
    Ok(polled.map(|fd| !fd.revents().is_empty()))
}

/// Longest time of one call. Systems without `ppoll(2)` count milliseconds in 32 bits.
const MAX_WAIT: Duration = if cfg!(linux_api) {
    Duration::MAX
} else {
    Duration::from_secs(24 * 60 * 60)
};

pub(super) fn poll(polled: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    // The clock is read once, and again only after a signal or a part of a long wait.
    let started = timeout.map(|_| Instant::now());
    let mut remaining = timeout;
    loop {
        let time = remaining.map(|remaining| remaining.min(MAX_WAIT));
        let ready = match time {
            // Some systems fail if there is nothing to poll.
            Some(time) if cfg!(not(linux_api)) && polled.is_empty() => {
                thread::sleep(time);
                Ok(0)
            }
            _ => rustix::event::poll(polled, time.map(timespec).as_ref()),
        };
        match ready {
            Ok(0) if remaining.is_some_and(|remaining| remaining > MAX_WAIT) => {}
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let elapsed = started.map(|started| started.elapsed());
        remaining = timeout
            .zip(elapsed)
            .map(|(timeout, elapsed)| timeout.saturating_sub(elapsed));
    }
}

pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos() as _,
    }
}
