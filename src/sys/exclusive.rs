//! Wait for the listeners of a server on several threads, of which each request wakes one.
//!
//! `poll(2)` wakes every thread that waits for a listener, and all but one of them find no request.
//! On Linux, an epoll set for each thread with `EPOLLEXCLUSIVE` avoids this. Only accept loops on
//! threads of their own use such a set, because a forked child inherits it and could disturb it.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::fd::BorrowedFd;
use crate::sys::listener_fds::ListenerFds;
use crate::sys::poller::{Poller, Watch};

/// The wait of one thread.
#[derive(Debug)]
pub(crate) struct ExclusiveWait {
    poller: Poller,
}

impl ExclusiveWait {
    const WAKER: u64 = 0;
    const LISTENER: u64 = 1;

    /// Watches `waker` for every thread, and each of `listeners` exclusively.
    ///
    /// # Errors
    ///
    /// No descriptor is left, or the system has no epoll. [`wait_readable`](crate::sys::poll::wait_readable)
    /// is the replacement.
    pub(crate) fn new(waker: BorrowedFd<'_>, listeners: ListenerFds<'_>) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(waker, Self::WAKER, Watch::Level)?;
        for listener in listeners.iter() {
            poller.add(listener, Self::LISTENER, Watch::LevelExclusive)?;
        }
        Ok(Self { poller })
    }

    /// Waits until the waker or a listener is readable (or broken), or `timeout` has passed. `None`
    /// waits without limit. Returns which of the two are readable, in this order. A signal does not end
    /// the wait.
    pub(crate) fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<[bool; 2]> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        loop {
            let (mut waker, mut listener) = (false, false);
            self.poller.wait(left, |event| match event.key {
                Self::WAKER => waker = true,
                _ => listener = true,
            })?;
            if waker || listener {
                return Ok([waker, listener]);
            }
            // The time has passed, or a signal came.
            if let Some(deadline) = deadline {
                left = Some(deadline.saturating_duration_since(Instant::now()));
            }
            if left == Some(Duration::ZERO) {
                return Ok([false, false]);
            }
        }
    }
}

#[cfg(all(test, linux_api))]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::sys::fd::AsFd;

    #[test]
    fn the_wait_reports_which_of_both_is_readable() {
        let (waker, mut wake) = UnixStream::pair().unwrap();
        let (listener, mut client) = UnixStream::pair().unwrap();
        let (other, _other_client) = UnixStream::pair().unwrap();
        let wait = {
            let listeners = [other.as_fd(), listener.as_fd()];
            ExclusiveWait::new(waker.as_fd(), ListenerFds::new(&listeners)).unwrap()
        };
        let soon = Some(Duration::from_millis(5));
        assert_eq!(wait.wait_readable(soon).unwrap(), [false, false]);
        client.write_all(b"a").unwrap();
        assert_eq!(wait.wait_readable(None).unwrap(), [false, true]);
        wake.write_all(b"a").unwrap();
        assert_eq!(wait.wait_readable(None).unwrap(), [true, true]);
        let zero = Some(Duration::ZERO);
        assert_eq!(wait.wait_readable(zero).unwrap(), [true, true]);
    }
}
