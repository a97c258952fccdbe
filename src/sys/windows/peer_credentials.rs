//! Replaces the credentials of Unix sockets: there are none.

use crate::sys::fd::BorrowedFd;

/// Process id, user id and group id.
pub(crate) type Credentials = (Option<u32>, u32, u32);

/// Returns `None`, because the sockets of Windows have no such credentials.
pub(crate) fn peer_credentials(_socket: BorrowedFd<'_>) -> Option<Credentials> {
    None
}
