//! Descriptors of the parent that forked children do not keep.
//!
//! In a child, each is replaced by a socket that does nothing. It is not closed, because a new
//! descriptor could then get its number, and code that still uses the number would use the new one.

use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::sys::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::fd::FromRawFd;

/// Registered descriptors of all servers of this process.
static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

struct Entry {
    fd: RawFd,
    /// Id of the server whose children keep the descriptor.
    needed_by: Option<u64>,
}

fn entries() -> MutexGuard<'static, Vec<Entry>> {
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces descriptors in forked children, until the result is dropped. The result must be dropped
/// before the descriptors are closed. Children of the server `needed_by` keep the descriptors.
pub(crate) fn close_on_fork<const N: usize>(
    fds: [&dyn AsRawFd; N],
    needed_by: Option<u64>,
) -> CloseOnFork<N> {
    let fds = fds.map(AsRawFd::as_raw_fd);
    entries().extend(fds.map(|fd| Entry { fd, needed_by }));
    CloseOnFork(fds)
}

/// Registration of descriptors by [`close_on_fork`].
#[derive(Debug)]
pub(crate) struct CloseOnFork<const N: usize>([RawFd; N]);

impl<const N: usize> Drop for CloseOnFork<N> {
    fn drop(&mut self) {
        entries().retain(|entry| !self.0.contains(&entry.fd));
    }
}

/// Locked registry, which a fork holds so that its child finds the registry unlocked and complete.
pub(super) struct Registry(MutexGuard<'static, Vec<Entry>>);

impl Registry {
    pub(super) fn lock() -> Self {
        Self(entries())
    }

    /// In a child of the server `owner`: replaces the descriptors by `inert`.
    pub(super) fn replace_with(&self, inert: BorrowedFd<'_>, owner: u64) {
        for entry in &*self.0 {
            if entry.needed_by == Some(owner) {
                continue;
            }
            // SAFETY: `entry.fd` is open, because its registration ends before it is closed. Its owner
            // keeps a valid descriptor of this number, of a socket that fails every call.
            let mut fd = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(entry.fd) });
            #[cfg(linux_api)]
            let _ = rustix::io::dup3(inert, &mut fd, rustix::io::DupFlags::CLOEXEC);
            #[cfg(not(linux_api))]
            let _ = rustix::io::dup2(inert, &mut fd)
                .and_then(|()| rustix::io::fcntl_setfd(&*fd, rustix::io::FdFlags::CLOEXEC));
        }
    }
}

/// Socket that is neither bound nor connected. Created once for the process.
pub(super) fn inert_socket() -> io::Result<BorrowedFd<'static>> {
    static INERT: OnceLock<UnixDatagram> = OnceLock::new();
    if let Some(socket) = INERT.get() {
        return Ok(socket.as_fd());
    }
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(INERT.get_or_init(|| socket).as_fd())
}
