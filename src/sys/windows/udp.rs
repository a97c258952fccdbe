//! Single calls on UDP sockets, which are in non-blocking mode.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::ptr;

use socket2::{SockAddr, SockRef};
use windows_sys::Win32::Networking::WinSock::{
    SIO_UDP_CONNRESET, SOCKADDR_STORAGE, SOCKET, WSAEMSGSIZE, WSAIoctl, recvfrom,
};

use crate::sys::fd::{AsRawFd, BorrowedFd};
use crate::sys::poll::wait_writable;
use crate::sys::socket::send_timeout;

/// Sets a socket to non-blocking mode, and makes it ignore that earlier replies have not reached their receivers.
pub(crate) fn prepare(fd: BorrowedFd<'_>) -> io::Result<()> {
    SockRef::from(&fd).set_nonblocking(true)?;
    // Fails for sockets of another kind, and then has no use.
    let _ = ignore_unreachable_receivers(fd);
    Ok(())
}

/// Receives one datagram; `WouldBlock` if none has arrived.
pub(crate) fn recv_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    // SAFETY: both types have the same layout. `receive` writes received bytes only, so that the buffer stays
    // initialised.
    let buffer = unsafe { &mut *(ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
    receive(fd, buffer)
}

/// Like [`recv_from`], into the spare capacity of `packet`.
pub(crate) fn recv_spare(fd: BorrowedFd<'_>, packet: &mut Vec<u8>) -> io::Result<SocketAddr> {
    let (size, peer) = receive(fd, packet.spare_capacity_mut())?;
    // SAFETY: the call has initialised the first `size` bytes of the spare capacity.
    unsafe { packet.set_len(packet.len() + size) };
    Ok(peer)
}

/// Waits for space to send, at most for the send timeout of the socket. Returns whether there is space.
pub(crate) fn wait_for_space(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let [ready] = wait_writable([fd], send_timeout(fd))?;
    Ok(ready)
}

/// Receives one datagram. Fills the buffer with the beginning of a datagram that is longer, as Unix systems do.
/// Windows then returns an error in addition, which other functions take for the loss of the datagram.
fn receive(fd: BorrowedFd<'_>, buffer: &mut [MaybeUninit<u8>]) -> io::Result<(usize, SocketAddr)> {
    let capacity = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
    let mut call = |storage: *mut SOCKADDR_STORAGE, length: *mut i32| {
        let socket = fd.as_raw_fd() as SOCKET;
        // SAFETY: the system writes at most `capacity` bytes to the buffer, and at most `length` bytes to the
        // storage. It keeps no references.
        let size = unsafe {
            recvfrom(
                socket,
                buffer.as_mut_ptr().cast(),
                capacity,
                0,
                storage.cast(),
                length,
            )
        };
        match usize::try_from(size) {
            Ok(size) => Ok(size),
            Err(_) => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(WSAEMSGSIZE) => Ok(capacity as usize),
                error => Err(error),
            },
        }
    };
    // SAFETY: all-zero bytes are a valid value of this structure.
    let mut storage: SOCKADDR_STORAGE = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&storage) as i32;
    let size = call(&mut storage, &mut length)?;
    // SAFETY: both types have the size and alignment of an address of any family.
    let (_, peer) = unsafe {
        SockAddr::try_init(|to, to_length| {
            ptr::copy_nonoverlapping(
                (&raw const storage).cast(),
                to.cast::<u8>(),
                size_of_val(&storage),
            );
            *to_length = length;
            Ok(())
        })
    }?;
    let peer = peer.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    Ok((size, peer))
}

/// Makes a socket ignore that an earlier reply has not reached its receiver. By default, a receive then fails
/// with `WSAECONNRESET`.
fn ignore_unreachable_receivers(fd: BorrowedFd<'_>) -> io::Result<()> {
    let (is_reported, mut written) = (0i32, 0u32);
    // SAFETY: the system reads `is_reported`, and writes to `written`. It keeps no references.
    let result = unsafe {
        WSAIoctl(
            fd.as_raw_fd() as SOCKET,
            SIO_UDP_CONNRESET,
            (&raw const is_reported).cast(),
            size_of_val(&is_reported) as u32,
            ptr::null_mut(),
            0,
            &mut written,
            ptr::null_mut(),
            None,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
