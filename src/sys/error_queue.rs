//! Errors of datagrams that were sent earlier.
//!
//! When an ICMP message reports that a datagram was not delivered, the system may report an error at the next
//! call for the socket, whatever that call does: receive, or send to another client. The call has no other
//! effect. A connected socket reports errors of its peer; a socket with the option `IP_RECVERR` reports errors of
//! all datagrams, and also queues them.

use std::io;

use crate::errno::{self, Errno};
use crate::sys::disconnect::is_unreachable;
use crate::sys::fd::BorrowedFd;

/// Returns whether the system may report this error for a datagram that was sent earlier. It reports most of them
/// for the call itself, too.
pub(super) fn may_be_of_earlier_datagram(errno: Errno) -> bool {
    is_unreachable(errno)
        || matches!(
            errno,
            Errno::CONNREFUSED
                | Errno::NOPROTOOPT
                | Errno::OPNOTSUPP
                | Errno::MSGSIZE
                | errno::PROTO
                | Errno::ACCESS
        )
}

/// Returns whether an error of a receiving call is that of an earlier datagram, and the socket queues these.
#[cold]
pub(crate) fn is_queued(fd: BorrowedFd<'_>, error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(may_be_of_earlier_datagram)
        && platform::queues_errors(fd)
}

pub(crate) use platform::take_errors;

#[cfg(linux_api)]
mod platform {
    use crate::sys::fd::AsRawFd;
    use std::mem::MaybeUninit;

    use nix::libc;
    use rustix::net::AddressFamily;
    use socket2::{MaybeUninitSlice, MsgHdrMut, SockRef};

    use super::*;
    use crate::sys::control_messages::{Control, messages};

    /// Maximum number of errors that one call takes.
    const MAX_TAKEN: usize = 1024;

    /// Takes the errors that a socket has queued, and passes on those that ICMP messages have reported. `poll`
    /// shows the socket as readable until the queue is empty.
    #[cold]
    pub(crate) fn take_errors(fd: BorrowedFd<'_>, mut report: impl FnMut(io::Error)) {
        let domain = rustix::net::sockopt::socket_domain(fd);
        // A Unix socket has no error queue. It ignores `ERRQUEUE` and would receive the next datagram.
        if !matches!(domain, Ok(AddressFamily::INET | AddressFamily::INET6)) {
            return;
        }
        for _ in 0..MAX_TAKEN {
            match take_error(fd) {
                Ok(Some(error)) => report(error),
                // A message about a sent datagram, such as its time stamp.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Takes one message from the queue. `None` if no ICMP message was its cause.
    fn take_error(fd: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
        let mut data = [MaybeUninit::uninit(); 1];
        let mut buffers = [MaybeUninitSlice::new(&mut data)];
        let mut control = Control::new();
        let mut message = MsgHdrMut::new()
            .with_buffers(&mut buffers)
            .with_control(control.as_mut_bytes());
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        SockRef::from(&fd).recvmsg(&mut message, flags)?;
        let control_size = message.control_len();
        // SAFETY: the call has written this many bytes.
        let control = unsafe { control.initialised(control_size) };
        let error = messages(control).find_map(|message| match (message.level, message.kind) {
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                // SAFETY: the structure consists of integers.
                unsafe { message.content::<libc::sock_extended_err>() }
            }
            _ => None,
        });
        Ok(error
            .filter(|error| {
                let origin = error.ee_origin;
                origin == libc::SO_EE_ORIGIN_ICMP || origin == libc::SO_EE_ORIGIN_ICMP6
            })
            .map(|error| io::Error::from_raw_os_error(error.ee_errno as i32)))
    }

    /// Returns whether the program has set `IP_RECVERR` or `IPV6_RECVERR`.
    pub(super) fn queues_errors(fd: BorrowedFd<'_>) -> bool {
        let is_set = |level, name| {
            let mut value: libc::c_int = 0;
            let mut size = size_of_val(&value) as libc::socklen_t;
            // SAFETY: the kernel writes at most `size` bytes to `value` and keeps no reference to it.
            let result = unsafe {
                let value = (&raw mut value).cast();
                libc::getsockopt(fd.as_raw_fd(), level, name, value, &raw mut size)
            };
            result == 0 && value != 0
        };
        is_set(libc::IPPROTO_IP, libc::IP_RECVERR) || is_set(libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    }
}

#[cfg(not(linux_api))]
mod platform {
    use super::*;

    /// Does nothing, because only Linux queues errors.
    pub(crate) fn take_errors(_fd: BorrowedFd<'_>, _report: impl FnMut(io::Error)) {}

    pub(super) fn queues_errors(_fd: BorrowedFd<'_>) -> bool {
        false
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::sys::fd::AsFd;

    #[test]
    fn taking_errors_keeps_datagrams() {
        let no_error = |error| panic!("{error}");
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        sender.send(b"hello").unwrap();
        take_errors(receiver.as_fd(), no_error);
        receiver.set_nonblocking(true).unwrap();
        assert_eq!(receiver.recv(&mut [0; 10]).unwrap(), 5);

        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = receiver.local_addr().unwrap();
        sender.send_to(b"hello", address).unwrap();
        take_errors(receiver.as_fd(), no_error);
        receiver.set_nonblocking(true).unwrap();
        assert_eq!(receiver.recv(&mut [0; 10]).unwrap(), 5);
    }
}

#[cfg(all(test, linux_api))]
mod linux_tests {
    use std::net::{SocketAddr, UdpSocket};

    use nix::libc;
    use rustix::event::{PollFd, PollFlags};

    use super::*;
    use crate::sys::datagram::{recv_from_inet, send_from_inet, send_to_inet};
    use crate::sys::fd::AsFd;
    use crate::sys::socket::set_int_option;

    /// Returns a socket that queues errors, and an address without a socket. They share their host with no other
    /// test.
    fn socket_with_queue(bound: &str) -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind(bound).unwrap();
        let mut closed = socket.local_addr().unwrap();
        let (level, name) = match closed {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
            SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
        };
        set_int_option(socket.as_fd(), level, name, 1).unwrap();
        closed.set_port(9);
        (socket, closed)
    }

    /// Sends a datagram to a closed port, and waits until the error is in the empty queue.
    fn fail(socket: &UdpSocket, closed: SocketAddr) {
        send_to_inet(socket.as_fd(), b"lost", &closed).unwrap();
        let mut ready = [PollFd::new(socket, PollFlags::empty())];
        rustix::event::poll(&mut ready, None).unwrap();
        assert!(ready[0].revents().contains(PollFlags::ERR));
    }

    fn taken(socket: &UdpSocket) -> Vec<Option<i32>> {
        let mut errors = Vec::new();
        take_errors(socket.as_fd(), |error| errors.push(error.raw_os_error()));
        errors
    }

    /// Receives until the result is not `WouldBlock`. The system queues an error before it sets the error.
    fn recv_error(socket: &UdpSocket) -> io::Error {
        loop {
            let error = recv_from_inet(socket.as_fd(), &mut [0; 10]).unwrap_err();
            if error.kind() != io::ErrorKind::WouldBlock {
                return error;
            }
        }
    }

    #[test]
    fn every_error_is_taken_once() {
        for bound in ["127.0.0.41:0", "[::1]:0"] {
            let (socket, closed) = socket_with_queue(bound);
            fail(&socket, closed);
            assert!(is_queued(socket.as_fd(), &recv_error(&socket)));
            assert_eq!(taken(&socket), [Some(libc::ECONNREFUSED)]);
            assert_eq!(taken(&socket), []);
        }
    }

    #[test]
    fn errors_of_other_sockets_are_not_queued() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let refused = io::Error::from(Errno::CONNREFUSED);
        assert!(!is_queued(socket.as_fd(), &refused));
        let (socket, _) = socket_with_queue("127.0.0.1:0");
        assert!(!is_queued(socket.as_fd(), &Errno::NOMEM.into()));
        assert!(!is_queued(socket.as_fd(), &io::Error::other("no number")));
    }

    #[test]
    fn a_datagram_is_sent_despite_an_error_of_an_earlier_one() {
        let (socket, closed) = socket_with_queue("127.0.0.42:0");
        let receiver = UdpSocket::bind("127.0.0.42:0").unwrap();
        let to = receiver.local_addr().unwrap();
        let from = socket.local_addr().unwrap();
        for _ in 0..10 {
            fail(&socket, closed);
            assert_eq!(send_to_inet(socket.as_fd(), b"to", &to).unwrap(), 2);
            // The error remains in the queue.
            assert_eq!(taken(&socket), [Some(libc::ECONNREFUSED)]);
            fail(&socket, closed);
            let sent = send_from_inet(socket.as_fd(), b"from", &to, &from);
            assert_eq!(sent.unwrap(), 4);
            assert_eq!(taken(&socket), [Some(libc::ECONNREFUSED)]);
            for size in [2, 4] {
                assert_eq!(receiver.recv(&mut [0; 10]).unwrap(), size);
            }
        }
    }

    /// Errors of the call itself end the retries.
    #[test]
    fn a_datagram_that_cannot_be_sent_fails() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = socket.local_addr().unwrap();
        let error = send_to_inet(socket.as_fd(), &[0; 70_000], &to).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    }
}
