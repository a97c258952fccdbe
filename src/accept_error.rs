//! What a server does about errors of its listening socket.

use std::io;

use rustix::io::Errno;

use crate::sys;

/// What a server does about an error of its listening socket, of `accept(2)` or `recvfrom(2)`.
///
/// | kind | errors | what the server does |
/// | --- | --- | --- |
/// | `Retry` | `EINTR`, `ECONNABORTED`, `EPROTO`; what the network has against one client: `ENETDOWN`, `ENOPROTOOPT`, `EHOSTDOWN`, `ENONET`, `EHOSTUNREACH`, `EOPNOTSUPP`, `ENETUNREACH`, `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`, `ETIMEDOUT`, `EPERM`; what an earlier reply to a datagram ran into: `ECONNREFUSED`, `ECONNRESET`, `EMSGSIZE` | takes the next request at once; after 16 of them without a request in between, as below |
/// | `BackOff` | `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, `ENOSR`, and every number that is not in this table | tries again after 10 ms, then 20, 40 and so on up to a second; a stop ends that wait at once |
/// | `Fatal` | `EBADF`, `EINVAL`, `ENOTSOCK`, `EFAULT`; an error without a number, from a transport of your own | [`serve_forever`](crate::Server::serve_forever) returns it, as [`Error::Accept`](crate::Error::Accept) |
///
/// (An error without a number, but of kind [`ConnectionAborted`](io::ErrorKind::ConnectionAborted), is
/// `Retry`: with it a [`Transport`](crate::Transport) of your own says that one connection is unusable.)
///
/// [`Service::get_request_error`](crate::Service::get_request_error) is told about each,
/// [`Stats::accept_errors`](crate::Stats::accept_errors) counts them.
///
/// > **Coming from Python.** There all of them are dropped without a trace and tried again at once: out
/// > of descriptors, the loop takes a whole processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AcceptErrorKind {
    /// It concerns one client, or one packet: the server takes the next.
    Retry,
    /// The process, or the system, is out of something: the server waits a little.
    BackOff,
    /// The socket is unusable: the server ends.
    Fatal,
}

impl AcceptErrorKind {
    pub(crate) const COUNT: usize = 3;

    /// The kind of an error.
    pub fn of(error: &io::Error) -> Self {
        let Some(errno) = Errno::from_io_error(error) else {
            return match error.kind() {
                io::ErrorKind::ConnectionAborted => Self::Retry,
                _ => Self::Fatal,
            };
        };
        match errno {
            Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::FAULT => Self::Fatal,
            errno if sys::accept::concerns_one_client(errno) => Self::Retry,
            _ => Self::BackOff,
        }
    }

    /// Whether it is descriptors that there are none of, in this process or in the system.
    pub(crate) fn is_descriptor_exhaustion(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::MFILE | Errno::NFILE)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_accept_is_sorted() {
        use AcceptErrorKind::{BackOff, Fatal, Retry};

        let retry = [
            Errno::INTR,
            Errno::CONNABORTED,
            Errno::PROTO,
            Errno::NETDOWN,
            Errno::NOPROTOOPT,
            Errno::HOSTDOWN,
            Errno::NONET,
            Errno::HOSTUNREACH,
            Errno::OPNOTSUPP,
            Errno::NETUNREACH,
            Errno::PROTONOSUPPORT,
            Errno::SOCKTNOSUPPORT,
            Errno::TIMEDOUT,
            Errno::PERM,
            Errno::CONNREFUSED,
            Errno::CONNRESET,
            Errno::MSGSIZE,
        ];
        let back_off = [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::NOSR,
            Errno::IO,
        ];
        let fatal = [Errno::BADF, Errno::INVAL, Errno::NOTSOCK, Errno::FAULT];
        let of = |errno: &Errno| AcceptErrorKind::of(&(*errno).into());
        assert!(retry.iter().all(|errno| of(errno) == Retry));
        assert!(back_off.iter().all(|errno| of(errno) == BackOff));
        assert!(fatal.iter().all(|errno| of(errno) == Fatal));
    }

    #[test]
    fn errors_of_other_transports_have_kinds() {
        let of = |error| AcceptErrorKind::of(&error);
        let unusable = io::Error::new(io::ErrorKind::ConnectionAborted, "one client");
        assert_eq!(of(unusable), AcceptErrorKind::Retry);
        assert_eq!(of(io::Error::other("no number")), AcceptErrorKind::Fatal);
    }
}
