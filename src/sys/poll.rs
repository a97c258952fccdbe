//! Waiting for descriptors, with `poll(2)`.
//!
//! `poll` and not `epoll`: it keeps no state in the kernel, so a forked child cannot disturb its
//! parent through an inherited epoll set, and with two or three descriptors it is as fast.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// The direction in which bytes move through a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Receive,
    Send,
}

/// Waits until at least one of `fds` is readable (or broken, which a read then reports) or
/// `timeout` is over, and says which are. `None` waits without limit.
///
/// A signal does not cut the wait short: it goes on with what is left of the timeout.
pub(crate) fn wait_readable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    wait(fds, PollFlags::IN, timeout)
}

/// The same for writing.
pub(crate) fn wait_writable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    wait(fds, PollFlags::OUT, timeout)
}

/// The same for any number of descriptors.
pub(crate) fn wait_any_readable<'a>(
    fds: impl IntoIterator<Item = BorrowedFd<'a>>,
    timeout: Option<Duration>,
) -> io::Result<Vec<bool>> {
    wait_any(fds, PollFlags::IN, timeout)
}

/// The same for writing.
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
    // The clock is read once, and again only if a signal came.
    let started = timeout.map(|_| Instant::now());
    let mut left = timeout;
    loop {
        match rustix::event::poll(polled, left.map(timespec).as_ref()) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {
                let passed = started.map(|started| started.elapsed());
                left = timeout
                    .zip(passed)
                    .map(|(timeout, passed)| timeout.saturating_sub(passed));
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
