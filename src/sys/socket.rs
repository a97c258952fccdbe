//! Making sockets and moving bytes through them.
//!
//! A handler's reads and writes wait in [`stream_io`] and nowhere else: a strategy that parks a
//! waiting handler instead of blocking its thread has that one function to hook into.

use std::io;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketAddrUnix};
use socket2::SockRef;

use super::poll;
use crate::address::UnixAddress;

/// The longest queue of connections that `listen(2)` takes without a second thought. The kernel
/// caps it at its own limit (`net.core.somaxconn` on Linux, 4096 unless changed).
pub(crate) const SOMAXCONN: u32 = nix::libc::SOMAXCONN as u32;

/// Makes a bound socket listen, with a queue of `backlog` connections that nobody accepted yet.
pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: u32) -> io::Result<()> {
    SockRef::from(&fd).listen(i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// Binds a socket to a Unix address.
pub(crate) fn bind_unix(fd: BorrowedFd<'_>, address: &UnixAddress) -> io::Result<()> {
    Ok(rustix::net::bind(fd, &unix_sockaddr(address)?)?)
}

/// Runs one read or write of a request to its end: the only place where a handler waits.
///
/// The sockets of requests are in blocking mode, so `operation`, called with `false`, waits in the
/// kernel, bounded by the socket's own timeout; `WouldBlock` means that this is over. Called with
/// `true`, it must not wait.
#[inline]
fn stream_io<T>(
    fd: BorrowedFd<'_>,
    direction: Direction,
    mut operation: impl FnMut(bool) -> Result<T, Errno>,
) -> io::Result<T> {
    match operation(false) {
        Ok(value) => Ok(value),
        Err(Errno::INTR) => resume(fd, direction, || operation(true)),
        Err(Errno::AGAIN) => Err(timed_out()),
        Err(error) => Err(error.into()),
    }
}

/// Which way bytes go.
#[derive(Clone, Copy)]
enum Direction {
    Receive,
    Send,
}

/// Goes on after a signal has interrupted a read or write. Just repeating it would start its timeout
/// anew, so that one that is longer than the pause between two signals would never be over.
#[cold]
fn resume<T>(
    fd: BorrowedFd<'_>,
    direction: Direction,
    mut operation: impl FnMut() -> Result<T, Errno>,
) -> io::Result<T> {
    let socket = SockRef::from(&fd);
    let timeout = match direction {
        Direction::Receive => socket.read_timeout()?,
        Direction::Send => socket.write_timeout()?,
    };
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let ready = match direction {
            Direction::Receive => poll::wait_readable([fd], left)?,
            Direction::Send => poll::wait_writable([fd], left)?,
        };
        if ready == [false] {
            return Err(timed_out());
        }
        match operation() {
            Ok(value) => return Ok(value),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn timed_out() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "timed out waiting for the client (the server's `timeout` option, or the request's \
         `set_timeout`, says how long that may take)",
    )
}

/// Receives what is there, waiting for the first byte. 0 is the end of the stream.
#[inline]
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    stream_io(fd, Direction::Receive, |dont_wait| {
        let flags = if dont_wait {
            RecvFlags::DONTWAIT
        } else {
            RecvFlags::empty()
        };
        rustix::net::recv(fd, &mut *buffer, flags).map(|(size, _)| size)
    })
}

/// Sends some of `data`, waiting for room. A vanished client is an error, never a SIGPIPE.
#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    stream_io(fd, Direction::Send, |dont_wait| {
        let flags = if dont_wait {
            SendFlags::DONTWAIT
        } else {
            SendFlags::empty()
        };
        rustix::net::send(fd, data, flags | SendFlags::NOSIGNAL)
    })
}

/// Sends as much of `data` as there is room for right now, without waiting.
pub(crate) fn try_send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(rustix::net::send(fd, data, flags)?)
}

/// Throws away what was received and not read, up to a limit, without waiting.
pub(crate) fn discard_input(fd: BorrowedFd<'_>) {
    let mut buffer = [0; 16 * 1024];
    for _ in 0..64 {
        match rustix::net::recv(fd, &mut buffer, RecvFlags::DONTWAIT) {
            Ok((1.., _)) => {}
            _ => return,
        }
    }
}

/// Sets the time that each read and each write may wait. `None` waits without limit.
pub(crate) fn set_timeout(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    check_timeout(timeout)?;
    // The kernel counts microseconds, and takes 0 of them for no limit.
    let timeout = timeout.map(|timeout| timeout.max(Duration::from_micros(1)));
    let socket = SockRef::from(&fd);
    socket.set_read_timeout(timeout)?;
    socket.set_write_timeout(timeout)
}

/// Refuses a timeout of zero.
pub(crate) fn check_timeout(timeout: Option<Duration>) -> io::Result<()> {
    if timeout == Some(Duration::ZERO) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a timeout of zero would never let a read or write wait: use None for no limit",
        ));
    }
    Ok(())
}

/// The receive timeout that a socket carries, if any.
pub(crate) fn receive_timeout(fd: BorrowedFd<'_>) -> Option<Duration> {
    SockRef::from(&fd).read_timeout().ok().flatten()
}

/// What has to be done about the timeout of accepted sockets: `None` is nothing, `Some` is to set it.
///
/// It has to be set to none at all where the listener has timeouts of its own, which are for
/// accepting: on Linux, accepted TCP sockets inherit them.
pub(crate) fn accepted_timeout(
    listener: BorrowedFd<'_>,
    timeout: Option<Duration>,
) -> io::Result<Option<Option<Duration>>> {
    check_timeout(timeout)?;
    let listener = SockRef::from(&listener);
    let inherited = listener.read_timeout()?.or(listener.write_timeout()?);
    Ok(timeout.or(inherited).map(|_| timeout))
}

/// Accepts one waiting TCP connection; `WouldBlock` if there is none.
pub(crate) fn accept_tcp(
    listener: &TcpListener,
    timeout: Option<Option<Duration>>,
) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    prepare(stream.as_fd(), timeout)?;
    Ok((stream, peer))
}

/// Accepts one waiting Unix connection; `WouldBlock` if there is none.
pub(crate) fn accept_unix(
    listener: &UnixListener,
    timeout: Option<Option<Duration>>,
) -> io::Result<(UnixStream, UnixAddress)> {
    let (stream, peer) = listener.accept()?;
    prepare(stream.as_fd(), timeout)?;
    Ok((stream, unix_address(&peer)))
}

/// Makes an accepted socket usable. If that fails it is this connection's error and nobody else's.
fn prepare(fd: BorrowedFd<'_>, timeout: Option<Option<Duration>>) -> io::Result<()> {
    let prepared = || {
        // It starts in blocking mode on Linux; elsewhere it may inherit the listener's mode.
        if cfg!(not(any(target_os = "linux", target_os = "android"))) {
            SockRef::from(&fd).set_nonblocking(false)?;
        }
        timeout.map_or(Ok(()), |timeout| set_timeout(fd, timeout))
    };
    prepared().map_err(|error: io::Error| io::Error::new(io::ErrorKind::ConnectionAborted, error))
}

/// Receives one waiting datagram from an internet socket; `WouldBlock` if there is none.
#[inline]
pub(crate) fn recv_from_inet(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    loop {
        match rustix::net::recvfrom(fd, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((size, _, peer)) => {
                let peer = peer.ok_or(Errno::AFNOSUPPORT)?;
                return Ok((size, SocketAddr::try_from(peer)?));
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one waiting datagram from a Unix socket; `WouldBlock` if there is none.
///
/// Through `socket2`, because the path of a Unix address may fill all of its 108 bytes, which
/// `rustix` cannot read back.
pub(crate) fn recv_from_unix(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, UnixAddress)> {
    // SAFETY: the two types have the same layout, and nothing is written through the new one but by
    // `recv_from_with_flags`, which writes bytes that it has received: the buffer stays initialised.
    let buffer = unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
    let socket = SockRef::from(&fd);
    loop {
        match socket.recv_from_with_flags(buffer, nix::libc::MSG_DONTWAIT) {
            Ok((size, peer)) => {
                let address = match (peer.as_pathname(), peer.as_abstract_namespace()) {
                    (Some(path), _) => UnixAddress::Path(path.to_owned()),
                    (_, Some(name)) => UnixAddress::Abstract(name.to_vec()),
                    (None, None) => UnixAddress::Unnamed,
                };
                return Ok((size, address));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Sends one datagram to an internet address.
#[inline]
pub(crate) fn send_to_inet(fd: BorrowedFd<'_>, data: &[u8], to: &SocketAddr) -> io::Result<usize> {
    datagram_io(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, to))
}

/// Sends one datagram to a Unix address.
pub(crate) fn send_to_unix(fd: BorrowedFd<'_>, data: &[u8], to: &UnixAddress) -> io::Result<usize> {
    let to = unix_sockaddr(to)?;
    datagram_io(|| rustix::net::sendto(fd, data, SendFlags::NOSIGNAL, &to))
}

/// Sends one datagram, which may wait for room, in a Unix socket as long as its send timeout says.
/// Whether the receiver has room cannot be polled for, so a signal starts that time anew.
#[inline]
fn datagram_io<T>(mut operation: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match operation() {
            Ok(value) => return Ok(value),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(timed_out()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The kernel's form of a Unix address; an error for an unnamed one, which nothing can be sent
/// to.
fn unix_sockaddr(address: &UnixAddress) -> io::Result<SocketAddrUnix> {
    match address {
        UnixAddress::Path(path) => Ok(SocketAddrUnix::new(path.as_path())?),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        UnixAddress::Abstract(name) => Ok(SocketAddrUnix::new_abstract_name(name)?),
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        UnixAddress::Abstract(_) => Err(Errno::AFNOSUPPORT.into()),
        UnixAddress::Unnamed => Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "this Unix socket address is unnamed: nothing can be bound or sent to it (a client \
             that wants an answer to its datagram has to bind its own socket first)",
        )),
    }
}

/// A Unix socket address of the standard library, as a value that can be compared and shown.
pub(crate) fn unix_address(address: &std::os::unix::net::SocketAddr) -> UnixAddress {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(address) {
        return UnixAddress::Abstract(name.to_vec());
    }
    match address.as_pathname() {
        Some(path) => UnixAddress::Path(path.to_owned()),
        None => UnixAddress::Unnamed,
    }
}

/// What an accept loop does about an error of `accept(2)` or `recvfrom(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptError {
    /// One client is gone or one packet went wrong: take the next request.
    Transient,
    /// The process or the system is out of descriptors or memory: wait a little.
    Exhausted,
    /// The listening socket itself is unusable.
    Fatal,
}

impl AcceptError {
    pub(crate) fn of(error: &io::Error) -> Self {
        // What a transport says about a connection that it could not make usable.
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return Self::Transient;
        }
        // A name that only Linux has.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if Errno::from_io_error(error) == Some(Errno::NONET) {
            return Self::Transient;
        }
        match Errno::from_io_error(error) {
            Some(
                Errno::INTR
                | Errno::PROTO
                // accept(2) passes on errors that the network raised for the new connection,
                // recvfrom(2) those that an earlier reply ran into; neither concerns the others.
                | Errno::NETDOWN
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
                | Errno::OPNOTSUPP
                | Errno::CONNREFUSED
                | Errno::CONNRESET
                | Errno::TIMEDOUT
                | Errno::PERM
                | Errno::MSGSIZE,
            ) => Self::Transient,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Self::Exhausted,
            _ => Self::Fatal,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use nix::libc;
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use super::*;

    /// Runs `work` while its thread is interrupted by one signal after the other.
    fn under_signals<T>(work: impl FnOnce() -> T) -> T {
        extern "C" fn ignore(_: libc::c_int) {}
        // Without SA_RESTART, so that interrupted calls fail with EINTR.
        let action = SigAction::new(
            SigHandler::Handler(ignore),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing, which is safe in signal context.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        // SAFETY: it has no preconditions.
        let target = unsafe { libc::pthread_self() };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let interrupter = scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    // SAFETY: the thread lives, because it waits below until this loop has ended.
                    unsafe { libc::pthread_kill(target, libc::SIGUSR1) };
                    thread::yield_now();
                }
            });
            let result = work();
            done.store(true, Ordering::SeqCst);
            interrupter.join().unwrap();
            result
        })
    }

    #[test]
    fn a_timeout_is_over_in_time_although_signals_come() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        set_timeout(socket.as_fd(), Some(Duration::from_millis(50))).unwrap();
        let error = under_signals(|| recv(socket.as_fd(), &mut [0; 10])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = under_signals(|| {
            loop {
                if let Err(error) = send(socket.as_fd(), &[0; 10_000]) {
                    return error;
                }
            }
        });
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn bytes_arrive_although_signals_come() {
        let (socket, peer) = UnixStream::pair().unwrap();
        let received = thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut received = 0;
                let mut buffer = [0; 1000];
                while received < 1_000_000 {
                    received += recv(peer.as_fd(), &mut buffer).unwrap();
                }
                received
            });
            under_signals(|| {
                let mut sent = 0;
                while sent < 1_000_000 {
                    sent += send(socket.as_fd(), &[0; 1000]).unwrap();
                }
            });
            reader.join().unwrap()
        });
        assert_eq!(received, 1_000_000);
    }

    #[test]
    fn a_timeout_below_what_the_kernel_counts_is_not_none() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        set_timeout(socket.as_fd(), Some(Duration::from_nanos(1))).unwrap();
        let error = recv(socket.as_fd(), &mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn accept_errors_are_sorted_by_what_a_loop_can_do_about_them() {
        let sort = |errno: Errno| AcceptError::of(&errno.into());
        assert_eq!(sort(Errno::CONNABORTED), AcceptError::Transient);
        assert_eq!(sort(Errno::HOSTUNREACH), AcceptError::Transient);
        assert_eq!(sort(Errno::MFILE), AcceptError::Exhausted);
        assert_eq!(sort(Errno::BADF), AcceptError::Fatal);
        assert_eq!(
            AcceptError::of(&io::Error::other("no errno")),
            AcceptError::Fatal
        );
    }
}
