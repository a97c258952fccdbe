//! Descriptor that becomes readable when another thread wakes its waiters.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::unix::close_on_fork::{CloseOnFork, close_on_fork};

/// Pair of sockets: a wake-up writes to one; the accept loops poll the other. Level-triggered: every
/// waiting loop sees a wake-up until [`Waker::drain`] is called.
#[derive(Debug)]
pub(crate) struct Waker {
    receiver: UnixStream,
    sender: UnixStream,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        Ok(Self { receiver, sender })
    }

    /// Replaces both sockets in forked children; see [`close_on_fork`].
    pub(crate) fn close_on_fork(&self) -> CloseOnFork<2> {
        close_on_fork([&self.receiver, &self.sender], None)
    }

    /// Wakes every loop that polls this. Never blocks. The error of a full buffer is ignored, because
    /// a wake-up is already pending then.
    pub(crate) fn wake(&self) {
        let _ = (&self.sender).write(&[1]);
    }

    /// Consumes all pending wake-ups.
    pub(crate) fn drain(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.receiver).read(&mut bytes), Ok(n) if n == bytes.len()) {}
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}
