//! Stand-in for waits for descriptors of clients. No model sends to clients.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub(crate) fn wait_any_writable<'a>(
    _fds: impl IntoIterator<Item = BorrowedFd<'a>>,
    _timeout: Option<Duration>,
) -> io::Result<Vec<bool>> {
    unreachable!("a model sends to no client");
}
