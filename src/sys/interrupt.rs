//! Waits for connections that another thread can end by a shutdown of the connection.
//!
//! On Unix, [`shutdown`](crate::sys::transfer::shutdown) ends such waits by itself. On Windows, it ends neither a
//! blocked receive nor `WSAPoll`. There, each wait is entered in a list, and a shutdown notifies the waits for its
//! connection.

use std::io;
use std::time::Duration;

use crate::sys::fd::BorrowedFd;
use crate::sys::poll::{Direction, wait_readable, wait_writable};

pub(crate) use self::platform::{ExpectedEnd, end_waits, expect_end, wait};

/// Ends a wait from another thread.
pub(crate) type Notify = Box<dyn Fn() + Send>;

fn wait_for(
    fd: BorrowedFd<'_>,
    direction: Direction,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let [ready] = match direction {
        Direction::Receive => wait_readable([fd], timeout)?,
        Direction::Send => wait_writable([fd], timeout)?,
    };
    Ok(ready)
}

#[cfg(poll_sees_shutdown)]
mod platform {
    use super::*;

    /// Waits until the connection may be ready, at most for `timeout` (`None`: without limit). Returns `false`
    /// if the time has passed.
    #[inline]
    pub(crate) fn wait(
        fd: BorrowedFd<'_>,
        direction: Direction,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        wait_for(fd, direction, timeout)
    }

    pub(crate) struct ExpectedEnd;

    /// Nothing to do, because the wait sees the shutdown.
    #[inline]
    pub(crate) fn expect_end(
        _fd: BorrowedFd<'_>,
        _direction: Direction,
        _notify: impl FnOnce() -> Notify,
    ) -> Option<ExpectedEnd> {
        Some(ExpectedEnd)
    }

    #[inline]
    pub(crate) fn end_waits(_fd: BorrowedFd<'_>) {}
}

#[cfg(not(poll_sees_shutdown))]
mod platform {
    use std::cell::OnceCell;
    use std::collections::HashMap;
    use std::sync::{Arc, LazyLock};

    use parking_lot::Mutex;
    use rustix::event::PollFlags;
    use rustix::net::RecvFlags;

    use super::*;
    use crate::errno::Errno;
    use crate::sys::descriptor;
    use crate::sys::fd::{AsFd, AsRawFd, RawFd};
    use crate::sys::flags::RECV_WITHOUT_WAIT;
    use crate::sys::poll::{is_send_shut_down, wait_until_ready};
    use crate::sys::waker::Waker;

    /// The present waits of this process, by connection and number.
    static WAITS: LazyLock<Mutex<Waits>> = LazyLock::new(Mutex::default);

    #[derive(Default)]
    struct Waits {
        by_fd: HashMap<RawFd, Vec<(u64, Notify)>>,
        last_number: u64,
    }

    /// A wait in the list, until it is dropped.
    pub(crate) struct ExpectedEnd {
        fd: RawFd,
        number: u64,
    }

    impl ExpectedEnd {
        fn new(fd: RawFd, notify: Notify) -> Self {
            let waits = &mut *WAITS.lock();
            waits.last_number += 1;
            let number = waits.last_number;
            waits.by_fd.entry(fd).or_default().push((number, notify));
            Self { fd, number }
        }
    }

    impl Drop for ExpectedEnd {
        fn drop(&mut self) {
            let by_fd = &mut WAITS.lock().by_fd;
            if let Some(waits) = by_fd.get_mut(&self.fd) {
                waits.retain(|(number, _)| *number != self.number);
                if waits.is_empty() {
                    by_fd.remove(&self.fd);
                }
            }
        }
    }

    /// Enters a wait that is about to begin. A shutdown calls the function that `notify` returns, until the
    /// result is dropped. Returns `None` if the direction is shut down already, so that the caller must not
    /// wait.
    pub(crate) fn expect_end(
        fd: BorrowedFd<'_>,
        direction: Direction,
        notify: impl FnOnce() -> Notify,
    ) -> Option<ExpectedEnd> {
        let expected = ExpectedEnd::new(fd.as_raw_fd(), notify());
        // A shutdown before this moment has not seen the wait, and one after it has.
        (!is_shut_down(fd, direction)).then_some(expected)
    }

    /// Returns whether a receive or send would not wait, because the direction is shut down. May be `true` for
    /// other reasons.
    fn is_shut_down(fd: BorrowedFd<'_>, direction: Direction) -> bool {
        if cfg!(unix) {
            // An attempt to receive would take an error of the connection from the read that follows.
            return wait_for(fd, direction, Some(Duration::ZERO)).unwrap_or(true);
        }
        if direction == Direction::Send {
            return is_send_shut_down(fd);
        }
        descriptor::prepare_without_wait(fd);
        let flags = RecvFlags::PEEK | RECV_WITHOUT_WAIT;
        match rustix::net::recv(fd, &mut [0; 1], flags) {
            Ok(_) => true,
            Err(error) => error != Errno::AGAIN && error != Errno::INTR,
        }
    }

    /// Ends the waits for a connection.
    pub(crate) fn end_waits(fd: BorrowedFd<'_>) {
        if let Some(waits) = WAITS.lock().by_fd.get(&fd.as_raw_fd()) {
            for (_, notify) in waits {
                notify();
            }
        }
    }

    thread_local! {
        static WAKER: OnceCell<Arc<Waker>> = const { OnceCell::new() };
    }

    /// Returns the waker of this thread. `None` for lack of descriptors.
    fn waker() -> Option<Arc<Waker>> {
        WAKER
            .try_with(|cell| {
                if cell.get().is_none() {
                    let _ = cell.set(Arc::new(Waker::new().ok()?));
                }
                cell.get().cloned()
            })
            .ok()
            .flatten()
    }

    /// Waits until the connection may be ready, at most for `timeout` (`None`: without limit). Returns `false`
    /// if the time has passed.
    pub(crate) fn wait(
        fd: BorrowedFd<'_>,
        direction: Direction,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        if timeout == Some(Duration::ZERO) {
            return Ok(wait_for(fd, direction, timeout)? || is_shut_down(fd, direction));
        }
        let Some(waker) = waker() else {
            // Waits for a short time, and lets the caller try again.
            let interval = Duration::from_millis(20);
            let is_last = timeout.is_some_and(|timeout| timeout <= interval);
            let timeout = timeout.map_or(interval, |timeout| timeout.min(interval));
            return Ok(wait_for(fd, direction, Some(timeout))? || !is_last);
        };
        waker.drain();
        let notified = Arc::clone(&waker);
        let notify = || -> Notify { Box::new(move || notified.wake()) };
        let Some(_expected) = expect_end(fd, direction, notify) else {
            return Ok(true);
        };
        let readiness = match direction {
            Direction::Receive => PollFlags::IN,
            Direction::Send => PollFlags::OUT,
        };
        let polled = [(fd, readiness), (waker.as_fd(), PollFlags::IN)];
        let ready = wait_until_ready(&polled, timeout)?;
        Ok(ready.iter().any(|flags| !flags.is_empty()))
    }
}
