//! Descriptors of any kind.

use std::io;
use std::os::unix::net::UnixDatagram;

use rustix::io::{FdFlags, fcntl_setfd};

use crate::sys::fd::{BorrowedFd, OwnedFd};

/// Closes the descriptor in programs that this process starts.
pub(crate) fn set_close_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fcntl_setfd(fd, FdFlags::CLOEXEC)?)
}

/// Creates a descriptor that only occupies an entry in the tables of the process and of the system.
pub(crate) fn placeholder() -> io::Result<OwnedFd> {
    Ok(UnixDatagram::unbound()?.into())
}

/// Does nothing, because the flags of a call tell it not to wait.
#[inline]
pub(crate) fn prepare_without_wait(_fd: BorrowedFd<'_>) {}
