//! Sockets: listening, options and timeouts.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(linux_api)]
use nix::libc;
use socket2::{SockRef, Socket};

#[cfg(windows)]
use crate::sys::fd::AsFd;
#[cfg(linux_api)]
use crate::sys::fd::AsRawFd;
use crate::sys::fd::BorrowedFd;
use crate::timeout::TimeoutConfig;

/// Default maximum length of the backlog. The kernel reduces it to its own limit (`net.core.somaxconn` on Linux,
/// 4096 by default; 128 on macOS). On Windows, the number stands for a reasonable one.
pub(crate) const SOMAXCONN: u32 = if cfg!(windows) { i32::MAX as u32 } else { 4096 };

/// Sets whether a socket can be bound to an address that another socket has, or had.
///
/// # Errors
///
/// `Unsupported` if the system cannot distribute clients over several sockets of one port.
#[cfg(unix)]
pub(crate) fn set_reuse(
    socket: &Socket,
    allow_reuse_address: bool,
    allow_reuse_port: bool,
) -> io::Result<()> {
    socket.set_reuse_address(allow_reuse_address)?;
    if allow_reuse_port {
        set_reuse_port(socket)?;
    }
    Ok(())
}

#[cfg(all(
    unix,
    not(any(target_os = "freebsd", target_os = "solaris", target_os = "illumos"))
))]
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// On FreeBSD, only this option distributes clients. With `SO_REUSEPORT`, one of the servers gets all.
#[cfg(target_os = "freebsd")]
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port_lb(true)
}

#[cfg(any(target_os = "solaris", target_os = "illumos", windows))]
fn set_reuse_port(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this system cannot share a port between servers: do not set `allow_reuse_port`",
    ))
}

/// Reserves the address of a socket for it. On Windows, `SO_REUSEADDR` would let any program bind to the same
/// port and take the clients over.
#[cfg(windows)]
pub(crate) fn set_reuse(
    socket: &Socket,
    _allow_reuse_address: bool,
    allow_reuse_port: bool,
) -> io::Result<()> {
    if allow_reuse_port {
        set_reuse_port(socket)?;
    }
    crate::sys::descriptor::set_exclusive_address(socket.as_fd())
}

/// Makes a bound socket listen. The backlog holds up to `backlog` connections.
pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: u32) -> io::Result<()> {
    SockRef::from(&fd).listen(i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// Makes a listening TCP socket delay each connection until its first bytes arrive or `time` expires.
/// The kernel counts whole seconds; fractions are rounded up. Zero disables the delay.
#[cfg(linux_api)]
pub(crate) fn set_defer_accept(fd: BorrowedFd<'_>, time: Duration) -> io::Result<()> {
    let fraction = u64::from(time.subsec_nanos() > 0);
    let seconds = time.as_secs().saturating_add(fraction);
    let seconds = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    set_int_option(fd, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)
}

/// Sets a socket option whose value is an integer.
#[cfg(linux_api)]
pub(super) fn set_int_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the kernel reads `size_of_val(&value)` bytes from `value` and keeps no reference to it.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    Ok(nix::errno::Errno::result(result).map(drop)?)
}

#[cfg(not(linux_api))]
pub(crate) fn set_defer_accept(_fd: BorrowedFd<'_>, _time: Duration) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "only Linux can delay a connection until its first bytes arrive: do not set the server's \
         option `defer_accept` on this system",
    ))
}

/// Makes a listening TCP socket ignore new connections. Connections in the backlog, and those whose
/// handshake has begun, can still be accepted; ending the listening would reset them.
///
/// The kernel drops packets that begin a connection. Such a client retries after a second, and reaches
/// the socket that has the port then.
#[cfg(linux_api)]
pub(crate) fn stop_new_connections(fd: BorrowedFd<'_>) -> io::Result<()> {
    /// Offset of the flags in a TCP header.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;

    SockRef::from(&fd).attach_filter(&[
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, FLAGS),
        step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, SYN | ACK),
        // A packet with SYN and without ACK begins a connection: drops it, and keeps all others.
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, SYN),
        step(libc::BPF_RET | libc::BPF_K, 0, DROP),
        step(libc::BPF_RET | libc::BPF_K, 0, KEEP),
    ])
}

/// Makes a datagram socket drop all datagrams that arrive from now on.
#[cfg(linux_api)]
pub(crate) fn stop_new_datagrams(fd: BorrowedFd<'_>) -> io::Result<()> {
    SockRef::from(&fd).attach_filter(&[step(libc::BPF_RET | libc::BPF_K, 0, DROP)])
}

/// Result of a filter: the number of bytes to keep of a packet.
#[cfg(linux_api)]
const DROP: u32 = 0;
#[cfg(linux_api)]
const KEEP: u32 = u32::MAX;

/// Instruction of a filter. A comparison that fails skips the next `skip_if_false` instructions.
#[cfg(linux_api)]
fn step(code: u32, skip_if_false: u8, value: u32) -> socket2::SockFilter {
    socket2::SockFilter::new(code as u16, 0, skip_if_false, value)
}

#[cfg(not(linux_api))]
pub(crate) fn stop_new_connections(_fd: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(linux_api))]
pub(crate) fn stop_new_datagrams(_fd: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// On Linux, ends listening for all processes that have a copy of the socket. A child process has copies for a moment
/// after its fork, and a program until its `exec`; its clients would be accepted by the system and answered by no
/// process. Connections in the backlog are reset, as by closing the last copy.
///
/// Does nothing on other systems, where a listener cannot be shut down: listening ends when the last copy is closed.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn stop_listening(fd: BorrowedFd<'_>) -> io::Result<()> {
    let socket = SockRef::from(&fd);
    // The socket of a custom transport may be a connection.
    match socket.is_listener()? {
        true => socket.shutdown(std::net::Shutdown::Both),
        false => Ok(()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn stop_listening(_fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

/// Returns an error if a listener or a datagram socket was shut down, so that it will receive nothing more: the
/// error that `accept(2)` returns for a TCP listener. Other sockets are readable and empty for ever.
#[cfg(linux_api)]
pub(crate) fn shutdown_error(fd: BorrowedFd<'_>) -> Option<io::Error> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let shut_down = PollFlags::RDHUP | PollFlags::HUP;
    let mut polled = [PollFd::from_borrowed_fd(fd, shut_down)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut polled, Some(&now)).ok()?;
    let is_shut_down = polled[0].revents().intersects(shut_down);
    is_shut_down.then(|| io::Error::from_raw_os_error(libc::EINVAL))
}

#[cfg(not(linux_api))]
pub(crate) fn shutdown_error(_fd: BorrowedFd<'_>) -> Option<io::Error> {
    None
}

/// Whether any connection of this process may have a timeout.
static MAY_HAVE_TIMEOUTS: AtomicBool = AtomicBool::new(false);

/// Records that connections of this process may have a timeout from now on.
pub(crate) fn expect_timeouts() {
    if !may_have_timeouts() {
        MAY_HAVE_TIMEOUTS.store(true, Ordering::SeqCst);
    }
}

/// Returns whether any connection of this process may have a timeout.
pub(crate) fn may_have_timeouts() -> bool {
    MAY_HAVE_TIMEOUTS.load(Ordering::Relaxed)
}

/// Sets the maximum time that each read and each write waits. `None` waits without limit.
pub(crate) fn set_timeout(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    check_timeout(timeout)?;
    set_receive_timeout(fd, timeout)?;
    set_send_timeout(fd, timeout)
}

/// Sets the maximum time that each read waits. `None` waits without limit.
pub(crate) fn set_receive_timeout(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    if_open(SockRef::from(&fd).set_read_timeout(timeout.map(to_kernel_timeout)))
}

/// Sets the maximum time that each write waits. `None` waits without limit.
pub(crate) fn set_send_timeout(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    if_open(SockRef::from(&fd).set_write_timeout(timeout.map(to_kernel_timeout)))
}

/// Ignores that macOS sets no option of a connection that has ended in both directions. The next read or write reports
/// the end.
pub(super) fn if_open(set: io::Result<()>) -> io::Result<()> {
    match set {
        Err(error)
            if cfg!(target_vendor = "apple") && error.kind() == io::ErrorKind::InvalidInput =>
        {
            Ok(())
        }
        set => set,
    }
}

/// Rounds a timeout up to the unit in which the kernel counts, because it treats 0 as no limit.
fn to_kernel_timeout(timeout: Duration) -> Duration {
    const UNIT: Duration = if cfg!(windows) {
        Duration::from_millis(1)
    } else {
        Duration::from_micros(1)
    };
    expect_timeouts();
    timeout.max(UNIT)
}

/// Makes the close of a TCP connection reset it: unsent and unread data is discarded, the client gets an
/// error, and the kernel keeps no state of the connection. Has no effect on Unix sockets.
pub(crate) fn reset_on_close(fd: BorrowedFd<'_>) -> io::Result<()> {
    SockRef::from(&fd).set_linger(Some(Duration::ZERO))
}

/// Rejects a timeout of zero.
pub(crate) fn check_timeout(timeout: Option<Duration>) -> io::Result<()> {
    if timeout == Some(Duration::ZERO) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a timeout of zero would never let a read or write wait: use None for no limit",
        ));
    }
    Ok(())
}

/// Returns the send timeout of a socket, if any.
pub(crate) fn send_timeout(fd: BorrowedFd<'_>) -> Option<Duration> {
    SockRef::from(&fd).write_timeout().ok().flatten()
}

/// Returns the receive timeout of a socket, if any.
pub(crate) fn receive_timeout(fd: BorrowedFd<'_>) -> Option<Duration> {
    SockRef::from(&fd).read_timeout().ok().flatten()
}

/// Changes to the timeouts of accepted sockets. `None` changes nothing; `Some` sets the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptedTimeouts {
    receive: Option<Option<Duration>>,
    send: Option<Option<Duration>>,
}

impl AcceptedTimeouts {
    /// Compares the configured timeouts with those of the listener, because accepted TCP sockets inherit
    /// the listener's timeouts on Linux. An inherited timeout that is not configured is removed.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero, and errors of the system.
    pub(crate) fn new(listener: BorrowedFd<'_>, timeouts: &TimeoutConfig) -> io::Result<Self> {
        timeouts.check()?;
        let (receive, send) = timeouts.socket_timeouts();
        let listener = SockRef::from(&listener);
        let set = |wanted: Option<Duration>, inherited| wanted.or(inherited).map(|_| wanted);
        Ok(Self {
            receive: set(receive, listener.read_timeout()?),
            send: set(send, listener.write_timeout()?),
        })
    }

    /// Applies the changes to an accepted socket.
    pub(super) fn set(self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let receive = |timeout| set_receive_timeout(fd, timeout);
        self.receive.map_or(Ok(()), receive)?;
        self.send
            .map_or(Ok(()), |timeout| set_send_timeout(fd, timeout))
    }
}
