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

/// Sets a socket to non-blocking mode if calls need it in order not to wait. On most systems, flags of each call do.
#[inline]
pub(crate) fn prepare_without_wait(fd: BorrowedFd<'_>) {
    if cfg!(not(kernel_waits)) {
        let _ = rustix::io::ioctl_fionbio(fd, true);
    }
}
