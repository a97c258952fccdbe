//! Making sockets listen, their addresses and timeouts.

use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsRawFd;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::libc;
use rustix::net::SocketAddrUnix;
use socket2::SockRef;

use crate::address::UnixAddress;
use crate::timeout::TimeoutConfig;

/// The longest queue of connections that `listen(2)` takes without a second thought. The kernel
/// caps it at its own limit (`net.core.somaxconn` on Linux, 4096 unless changed).
pub(crate) const SOMAXCONN: u32 = libc::SOMAXCONN as u32;

/// Makes a bound socket listen, with a queue of `backlog` connections that nobody accepted yet.
pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: u32) -> io::Result<()> {
    SockRef::from(&fd).listen(i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// Makes a listening TCP socket keep connections to itself until their first bytes are there, or until
/// a time is over, which the kernel counts in whole seconds: it is rounded up. Zero is not at all.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn set_defer_accept(fd: BorrowedFd<'_>, time: Duration) -> io::Result<()> {
    let started = u64::from(time.subsec_nanos() > 0);
    let seconds = time.as_secs().saturating_add(started);
    let seconds = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    // SAFETY: the kernel reads as many bytes from `seconds` as it is told to, which are all of it, and
    // keeps no reference to it.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of_val(&seconds) as libc::socklen_t,
        )
    };
    Ok(nix::errno::Errno::result(result).map(drop)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn set_defer_accept(_fd: BorrowedFd<'_>, _time: Duration) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "only Linux can wait for a client's first bytes before it is accepted: leave the server's \
         `defer_accept` option out",
    ))
}

/// A descriptor that does nothing but be there, in the tables of the process and of the system.
pub(crate) fn placeholder() -> io::Result<OwnedFd> {
    Ok(std::os::unix::net::UnixDatagram::unbound()?.into())
}

/// Makes a listening TCP socket take in nobody new, while those who are in its queue, or half-way into it,
/// can be accepted. (Ending the listening would reset them.) Packets that begin a connection are dropped
/// unseen: such a client is answered by whoever has the port when it tries again, which is after a second.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn stop_new_connections(fd: BorrowedFd<'_>) -> io::Result<()> {
    /// Where a TCP header has its flags, and what they mean.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;

    SockRef::from(&fd).attach_filter(&[
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, FLAGS),
        step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, SYN | ACK),
        // If it is the one and not the other, go on with the next line, else with the one after it.
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, SYN),
        step(libc::BPF_RET | libc::BPF_K, 0, NOTHING),
        step(libc::BPF_RET | libc::BPF_K, 0, ALL),
    ])
}

/// Makes a datagram socket take in nothing new: what arrives is dropped unseen.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn stop_new_datagrams(fd: BorrowedFd<'_>) -> io::Result<()> {
    SockRef::from(&fd).attach_filter(&[step(libc::BPF_RET | libc::BPF_K, 0, NOTHING)])
}

/// How much of a packet a filter keeps.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOTHING: u32 = 0;
#[cfg(any(target_os = "linux", target_os = "android"))]
const ALL: u32 = u32::MAX;

#[cfg(any(target_os = "linux", target_os = "android"))]
fn step(code: u32, if_not: u8, value: u32) -> socket2::SockFilter {
    socket2::SockFilter::new(code as u16, 0, if_not, value)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn stop_new_connections(_fd: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn stop_new_datagrams(_fd: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The same for a listening Unix socket: who comes now is rejected.
pub(crate) fn stop_new_unix_connections(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::shutdown(fd, rustix::net::Shutdown::Read)?)
}

/// Binds a socket to a Unix address.
pub(crate) fn bind_unix(fd: BorrowedFd<'_>, address: &UnixAddress) -> io::Result<()> {
    Ok(rustix::net::bind(fd, &unix_sockaddr(address)?)?)
}

/// Whether any connection of this process was ever given a timeout, or somebody had the means to.
static TIMEOUTS: AtomicBool = AtomicBool::new(false);

/// From now on there may be connections with a timeout.
pub(crate) fn expect_timeouts() {
    if !may_have_timeouts() {
        TIMEOUTS.store(true, Ordering::SeqCst);
    }
}

/// Whether there may be connections with a timeout.
pub(crate) fn may_have_timeouts() -> bool {
    TIMEOUTS.load(Ordering::Relaxed)
}

/// Sets the time that each read and each write may wait. `None` waits without limit.
pub(crate) fn set_timeout(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    check_timeout(timeout)?;
    set_receive_timeout(fd, timeout)?;
    set_send_timeout(fd, timeout)
}

/// Sets the time that each read may wait.
pub(crate) fn set_receive_timeout(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    SockRef::from(&fd).set_read_timeout(timeout.map(countable))
}

/// Sets the time that each write may wait.
pub(crate) fn set_send_timeout(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    SockRef::from(&fd).set_write_timeout(timeout.map(countable))
}

/// The kernel counts microseconds, and takes 0 of them for no limit.
fn countable(timeout: Duration) -> Duration {
    expect_timeouts();
    timeout.max(Duration::from_micros(1))
}

/// Has the close of a TCP connection reset it: what was not sent or read is gone, the client gets an error,
/// and nothing of the connection stays behind. (Unix sockets have no such thing.)
pub(crate) fn reset_on_close(fd: BorrowedFd<'_>) -> io::Result<()> {
    SockRef::from(&fd).set_linger(Some(Duration::ZERO))
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

/// The send timeout that a socket carries, if any.
pub(crate) fn send_timeout(fd: BorrowedFd<'_>) -> Option<Duration> {
    SockRef::from(&fd).write_timeout().ok().flatten()
}

/// The receive timeout that a socket carries, if any.
pub(crate) fn receive_timeout(fd: BorrowedFd<'_>) -> Option<Duration> {
    SockRef::from(&fd).read_timeout().ok().flatten()
}

/// What has to be done about the timeouts of accepted sockets: `None` is nothing, `Some` is to set it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptedTimeouts {
    receive: Option<Option<Duration>>,
    send: Option<Option<Duration>>,
}

impl AcceptedTimeouts {
    /// One has to be set to none at all where the listener has such a timeout of its own, which is for
    /// accepting: on Linux, accepted TCP sockets inherit it.
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

    pub(super) fn set(self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let receive = |timeout| set_receive_timeout(fd, timeout);
        self.receive.map_or(Ok(()), receive)?;
        self.send
            .map_or(Ok(()), |timeout| set_send_timeout(fd, timeout))
    }
}

/// The kernel's form of a Unix address; an error for an unnamed one, which nothing can be sent
/// to.
pub(super) fn unix_sockaddr(address: &UnixAddress) -> io::Result<SocketAddrUnix> {
    match address {
        UnixAddress::Path(path) => {
            check_path(path)?;
            Ok(SocketAddrUnix::new(path.as_path())?)
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        UnixAddress::Abstract(name) => Ok(SocketAddrUnix::new_abstract_name(name)?),
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        UnixAddress::Abstract(_) => Err(rustix::io::Errno::AFNOSUPPORT.into()),
        UnixAddress::Unnamed => Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "this Unix socket address is unnamed: nothing can be bound or sent to it (a client \
             that wants an answer to its datagram has to bind its own socket first)",
        )),
    }
}

/// Refuses what is no path to the kernel, but a name without a file.
fn check_path(path: &Path) -> io::Result<()> {
    let advice = match path.as_os_str().as_encoded_bytes() {
        [] => "the path of a socket cannot be empty",
        [0, ..] => {
            "a name in the abstract namespace is written `UnixAddress::Abstract(name)`, without \
             the zero byte"
        }
        _ => return Ok(()),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, advice))
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
