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

/// Largest size in bytes of one send.
///
/// Windows copies a send of any size into its own memory while what is under way is below the size of the send buffer.
/// A large message to a client that does not read would be there in whole, and its write would never time out.
const MAX_SEND: usize = if cfg!(any(windows, socketserver_portable)) {
    64 * 1024
} else {
    MAX_TRANSFER
};

/// Largest size in bytes of one transfer. On macOS and Windows, a larger one fails.
const MAX_TRANSFER: usize = if cfg!(any(windows, target_vendor = "apple")) {
    i32::MAX as usize
} else {
    isize::MAX as usize // more than any slice has
};

/// Receives available bytes. Returns 0 at the end of the stream, and after a shutdown of the reading side.
#[inline]
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8], may_wait: bool) -> Result<usize, Errno> {
    prepare_recv(fd);
    let size = buffer.len().min(MAX_TRANSFER);
    let received = rustix::net::recv(fd, &mut buffer[..size], recv_flags(may_wait));
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
    let data = &data[..data.len().min(MAX_SEND)];
    rustix::net::send(fd, data, wait | NO_SIGNAL)
}

/// Sends a part of several buffers, without waiting, and returns the number of bytes sent.
pub(crate) fn send_vectored(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let empty = parts.iter().take_while(|part| part.is_empty()).count();
    let parts = &parts[empty..];
    let fitting = fitting(parts, MAX_SEND);
    if let (0, Some(first)) = (fitting, parts.first()) {
        return Ok(send(fd, first, false)?);
    }
    prepare_send(fd);
    let flags = SEND_WITHOUT_WAIT | NO_SIGNAL;
    SockRef::from(&fd).send_vectored_with_flags(&parts[..fitting], flags.bits().cast_signed())
}

/// Returns how many of the first buffers have at most `max` bytes together.
fn fitting(parts: &[IoSlice<'_>], max: usize) -> usize {
    let mut size = 0usize;
    let fits = |part: &&IoSlice<'_>| {
        size = size.saturating_add(part.len());
        size <= max
    };
    parts.iter().take_while(fits).count()
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
    let result = match how {
        std::net::Shutdown::Read => rustix::net::shutdown(fd, Shutdown::Read),
        std::net::Shutdown::Write => rustix::net::shutdown(fd, Shutdown::Write),
        std::net::Shutdown::Both => shutdown_both(fd),
    };
    interrupt::end_waits(fd);
    result
}

/// Shuts down both directions. On macOS, one call for both fails and leaves the writing side open if the reading side
/// has ended, because it was shut down or the client has ended its output.
fn shutdown_both(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    if cfg!(any(
        target_vendor = "apple",
        all(unix, socketserver_portable)
    )) {
        let reads = rustix::net::shutdown(fd, Shutdown::Read);
        return rustix::net::shutdown(fd, Shutdown::Write).or(reads);
    }
    rustix::net::shutdown(fd, Shutdown::Both)
}

/// Returns whether a shutdown of the reading side would discard input that has arrived. Linux keeps it for the next
/// reads. macOS and the BSDs drop it, and Windows resets the connection.
pub(crate) fn shutdown_discards_input(fd: BorrowedFd<'_>) -> bool {
    // Unlike an attempt to receive, this leaves an error of the connection to the next read.
    cfg!(not(linux_api)) && rustix::io::ioctl_fionread(fd).is_ok_and(|size| size > 0)
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;
    use crate::sys::fd::AsFd;
    #[cfg(not(linux_api))]
    use crate::sys::poll;

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        (server, client)
    }

    #[test]
    #[cfg(not(linux_api))]
    fn input_that_a_shutdown_would_discard_is_seen() {
        let (server, mut client) = connected();
        let fd = server.as_fd();
        assert!(!shutdown_discards_input(fd));
        client.write_all(b"x").unwrap();
        assert_eq!(server.peek(&mut [0; 1]).unwrap(), 1);
        assert!(shutdown_discards_input(fd));
        discard_input(fd);
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(poll::wait_readable([fd], None).unwrap(), [true]);
        assert!(!shutdown_discards_input(fd));
    }

    #[test]
    fn buffers_are_sent_up_to_a_size() {
        let parts = [4, 6, 0, 1].map(|size| IoSlice::new(&[0; 6][..size]));
        for (max, expected) in [(3, 0), (4, 1), (9, 1), (10, 3), (11, 4), (usize::MAX, 4)] {
            assert_eq!(fitting(&parts, max), expected, "{max}");
        }
        assert_eq!(fitting(&[], 1), 0);
    }

    #[test]
    fn a_send_has_a_largest_size() {
        let (server, _client) = connected();
        server.set_nonblocking(true).unwrap();
        let data = vec![0; 1024 * 1024];
        let part = IoSlice::new(&data);
        for sent in [
            send(server.as_fd(), &data, false).unwrap(),
            send_vectored(server.as_fd(), &[part, part]).unwrap(),
        ] {
            assert!((1..=MAX_SEND).contains(&sent));
        }
    }

    #[test]
    fn both_directions_end_after_the_end_of_the_reads() {
        // The reads end by a shutdown of the server, or by that of the client.
        for is_own in [true, false] {
            let (mut server, mut client) = connected();
            if is_own {
                shutdown(server.as_fd(), Shutdown::Read).unwrap();
            } else {
                client.shutdown(Shutdown::Write).unwrap();
                assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
            }
            shutdown(server.as_fd(), Shutdown::Both).unwrap();
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
            server.write_all(b"x").unwrap_err();
        }
    }
}
