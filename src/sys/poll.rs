//! Waits for descriptors, with `poll(2)`.
//!
//! `poll` has two advantages over `epoll`: it keeps no state in the kernel, so a forked child cannot
//! disturb its parent through an inherited epoll set; and it is as fast with two or three descriptors.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Direction of a transfer through a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Receive,
    Send,
}

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

fn poll(polled: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    // The clock is read once, and again only after a signal.
    let started = timeout.map(|_| Instant::now());
    let mut remaining = timeout;
    loop {
        match rustix::event::poll(polled, remaining.map(timespec).as_ref()) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {
                let elapsed = started.map(|started| started.elapsed());
                remaining = timeout
                    .zip(elapsed)
                    .map(|(timeout, elapsed)| timeout.saturating_sub(elapsed));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
