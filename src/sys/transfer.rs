//! Receives from and sends to connections.

use std::io::{self, IoSlice};

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use socket2::SockRef;

use crate::errno::Errno;
use crate::sys::descriptor;
use crate::sys::fd::BorrowedFd;
use crate::sys::flags::{NO_SIGNAL, RECV_WITHOUT_WAIT, SEND_WITHOUT_WAIT};
use crate::sys::interrupt;

/// Whether a receive or send can wait in the system call. Otherwise connections are in non-blocking mode, and
/// threads wait with `poll(2)`, too, because a wait in the system call could not be ended by another thread.
pub(crate) const CAN_WAIT: bool = cfg!(kernel_waits);

/// Receives available bytes. Returns 0 at the end of the stream, and after a shutdown of the reading side.
#[inline]
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8], may_wait: bool) -> Result<usize, Errno> {
    prepare_recv(fd);
    let received = rustix::net::recv(fd, buffer, recv_flags(may_wait));
    end_of_shut_down(received.map(|(size, _)| size))
}

/// Like [`recv`], into the spare capacity of `buffer`.
#[inline]
pub(crate) fn recv_spare(
    fd: BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    may_wait: bool,
) -> Result<usize, Errno> {
    prepare_recv(fd);
    let received = rustix::net::recv(fd, spare_capacity(buffer), recv_flags(may_wait));
    end_of_shut_down(received.map(|(_, size)| size))
}

/// Makes the result of a receive after a shutdown that of Unix systems.
#[inline]
fn end_of_shut_down(received: Result<usize, Errno>) -> Result<usize, Errno> {
    match received {
        Err(Errno::SHUTDOWN) if cfg!(windows) => Ok(0),
        received => received,
    }
}

/// Keeps a receive from waiting in the system call, where no flag does. The sockets that this crate makes have the
/// mode already; those of a custom transport may not.
#[inline]
fn prepare_recv(fd: BorrowedFd<'_>) {
    if RECV_WITHOUT_WAIT.is_empty() {
        descriptor::prepare_without_wait(fd);
    }
}

/// Like [`prepare_recv`], for a send.
#[inline]
fn prepare_send(fd: BorrowedFd<'_>) {
    if !CAN_WAIT {
        descriptor::prepare_without_wait(fd);
    }
}

#[inline]
fn recv_flags(may_wait: bool) -> RecvFlags {
    if may_wait && CAN_WAIT {
        RecvFlags::empty()
    } else {
        RECV_WITHOUT_WAIT
    }
}

/// Sends a part of `data`, and returns the number of bytes sent. If the client has closed its socket, this is
/// an error, never a SIGPIPE.
#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, data: &[u8], may_wait: bool) -> Result<usize, Errno> {
    let wait = if may_wait && CAN_WAIT {
        SendFlags::empty()
    } else {
        SEND_WITHOUT_WAIT
    };
    prepare_send(fd);
    rustix::net::send(fd, data, wait | NO_SIGNAL)
}

/// Sends a part of several buffers, without waiting, and returns the number of bytes sent.
pub(crate) fn send_vectored(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    prepare_send(fd);
    let flags = SEND_WITHOUT_WAIT | NO_SIGNAL;
    SockRef::from(&fd).send_vectored_with_flags(parts, flags.bits().cast_signed())
}

/// Copies available bytes without receiving them, and without waiting. Returns 0 at the end of the stream.
#[cfg(feature = "proxy-protocol")]
pub(crate) fn peek(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    prepare_recv(fd);
    let peeked = rustix::net::recv(fd, buffer, RECV_WITHOUT_WAIT | RecvFlags::PEEK);
    Ok(end_of_shut_down(peeked.map(|(size, _)| size))?)
}

/// Shuts down one or both directions, which ends the waits for them. (`std` would call the C library, and a
/// forked child would map one more page of code.)
pub(crate) fn shutdown(fd: BorrowedFd<'_>, how: std::net::Shutdown) -> Result<(), Errno> {
    let how = match how {
        std::net::Shutdown::Read => Shutdown::Read,
        std::net::Shutdown::Write => Shutdown::Write,
        std::net::Shutdown::Both => Shutdown::Both,
    };
    let result = rustix::net::shutdown(fd, how);
    interrupt::end_waits(fd);
    result
}

/// Discards up to 1 MiB of received bytes, without waiting.
// Not inlined, because the buffer would enlarge the stack frame of its caller.
#[inline(never)]
pub(crate) fn discard_input(fd: BorrowedFd<'_>) {
    let mut buffer = [0; 16 * 1024];
    for _ in 0..64 {
        match recv(fd, &mut buffer, false) {
            Ok(1..) => {}
            _ => return,
        }
    }
}
