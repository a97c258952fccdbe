//! A descriptor that becomes readable when another thread asks for attention.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::sys::fork::{CloseOnFork, close_on_fork};

/// One end is written to wake, the other is in the accept loop's `poll` set. Waking is
/// level-triggered: every loop that waits sees it until somebody calls [`Waker::drain`].
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

    /// Keeps both ends from forked children; see [`close_on_fork`].
    pub(crate) fn close_on_fork(&self) -> CloseOnFork<2> {
        close_on_fork([&self.receiver, &self.sender], None)
    }

    /// Ends the wait of every loop that polls this. Never blocks; a full buffer means that a
    /// wake-up is pending already.
    pub(crate) fn wake(&self) {
        let _ = (&self.sender).write(&[1]);
    }

    /// Takes back every wake-up so far.
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
