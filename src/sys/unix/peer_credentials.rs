//! The process and the user at the other side of a Unix socket.

// For those systems that report credentials.
#[allow(unused_imports)]
use {crate::sys::fd::AsRawFd, nix::libc};

use crate::sys::fd::BorrowedFd;

/// Process id, where the system reports it, user id and group id.
pub(crate) type Credentials = (Option<u32>, u32, u32);

/// Returns the credentials of the process that has connected; `None` for a socket without them.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> Option<Credentials> {
    let none = libc::ucred {
        pid: 0,
        uid: libc::uid_t::MAX,
        gid: libc::gid_t::MAX,
    };
    let ucred = get_option(socket, libc::SOL_SOCKET, libc::SO_PEERCRED, none)?;
    // The process id is 0 if this process cannot see the other one, because of its namespace.
    let pid = u32::try_from(ucred.pid).ok().filter(|pid| *pid != 0);
    (ucred.uid != libc::uid_t::MAX).then_some((pid, ucred.uid, ucred.gid))
}

/// Returns the credentials of the process that has connected; `None` for a socket without them.
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> Option<Credentials> {
    let (mut uid, mut gid) = (libc::uid_t::MAX, libc::gid_t::MAX);
    // SAFETY: the descriptor is open, and the system writes one value to each of the two places.
    let result = unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut uid, &raw mut gid) };
    (result == 0).then_some((peer_pid(socket), uid, gid))
}

#[cfg(target_vendor = "apple")]
fn peer_pid(socket: BorrowedFd<'_>) -> Option<u32> {
    let pid = get_option(
        socket,
        libc::SOL_LOCAL,
        libc::LOCAL_PEERPID,
        0 as libc::pid_t,
    )?;
    u32::try_from(pid).ok().filter(|pid| *pid != 0)
}

#[cfg(any(
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
fn peer_pid(_socket: BorrowedFd<'_>) -> Option<u32> {
    None
}

/// Returns `None`, because there is no way to ask this system.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub(crate) fn peer_credentials(_socket: BorrowedFd<'_>) -> Option<Credentials> {
    None
}

/// Reads a socket option with a value of plain numbers.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn get_option<T>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    mut value: T,
) -> Option<T> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the system writes at most `length` bytes to `value`, whose fields are numbers of any value.
    let result = unsafe {
        let value = (&raw mut value).cast();
        libc::getsockopt(socket.as_raw_fd(), level, name, value, &raw mut length)
    };
    (result == 0 && length as usize == size_of::<T>()).then_some(value)
}
