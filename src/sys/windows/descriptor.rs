//! Properties of sockets.

use std::io;
use std::net::UdpSocket;

use socket2::{Domain, SockRef, Socket, Type};
use windows_sys::Win32::Networking::WinSock::{
    SO_EXCLUSIVEADDRUSE, SOCKET, SOL_SOCKET, setsockopt,
};

use crate::sys::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Keeps other sockets from being bound to the address of this socket.
pub(crate) fn set_exclusive_address(fd: BorrowedFd<'_>) -> io::Result<()> {
    let is_exclusive = 1i32;
    // SAFETY: the system reads `is_exclusive`, and keeps no reference to it.
    let result = unsafe {
        setsockopt(
            fd.as_raw_fd() as SOCKET,
            SOL_SOCKET,
            SO_EXCLUSIVEADDRUSE,
            (&raw const is_exclusive).cast(),
            size_of_val(&is_exclusive) as i32,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps programs that this process starts from inheriting the socket. They would inherit accepted sockets, and those
/// that were inherited themselves; `std` and `socket2` create others without this property. Sockets of some network
/// filters cannot have it, which is no reason to serve no client.
pub(crate) fn set_close_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    let _ = SockRef::from(&fd).set_no_inherit(true);
    Ok(())
}

/// Creates a socket that only occupies an entry in the tables of the process and of the system.
pub(crate) fn placeholder() -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    Ok(UdpSocket::from(socket).into())
}

/// Sets a socket to non-blocking mode, because no flag tells a call not to wait. Sockets of requests have this mode
/// already. A socket that a handler has made itself may not.
pub(crate) fn prepare_without_wait(fd: BorrowedFd<'_>) {
    let _ = SockRef::from(&fd).set_nonblocking(true);
}
