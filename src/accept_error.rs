//! Classification of errors of the listening socket.

use std::io;

use crate::errno::{self, Errno};
use crate::sys;

/// Reaction of a server to an error of `accept(2)` or `recvfrom(2)` on its listening socket.
///
/// | kind | errors | reaction of the server |
/// | --- | --- | --- |
/// | `Retry` | `EINTR`, `ECONNABORTED`, `EPROTO`; network errors of one client: `ENETDOWN`, `ENOPROTOOPT`, `EHOSTDOWN`, `ENONET`, `EHOSTUNREACH`, `EOPNOTSUPP`, `ENETUNREACH`, `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`, `ETIMEDOUT`, `EPERM`; errors of an earlier reply to a datagram: `ECONNREFUSED`, `ECONNRESET`, `ENETRESET`, `EMSGSIZE`, `EACCES` | accepts the next request at once; after 16 errors without a request in between (256 of the kind `ConnectionAborted`), backs off as in the next row. Connections that their clients have reset in the backlog (`ECONNABORTED`, on Windows `WSAECONNRESET`) only make it pause for 10 ms after each 256 |
/// | `BackOff` | `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, `ENOSR`, and every number that is not in this table | retries after 10 ms, then 20 ms, 40 ms and so on up to 1 s; a stop ends this wait at once |
/// | `Fatal` | `EBADF`, `EINVAL`, `ENOTSOCK`, `EFAULT`; an error without a number, from a custom transport | [`serve_forever`](crate::Server::serve_forever) returns it, as [`Error::Accept`](crate::Error::Accept) |
///
/// An error without a number, of kind [`ConnectionAborted`](io::ErrorKind::ConnectionAborted), is
/// `Retry`: a custom [`Transport`](crate::Transport) returns it to report that one connection is
/// unusable.
///
/// The server calls [`Service::get_request_error`](crate::Service::get_request_error) for each error,
/// and [`Stats::accept_errors`](crate::Stats::accept_errors) counts them.
///
/// > **Coming from Python.** Python ignores every such error and retries at once. When the process has
/// > no free descriptor, Python's loop therefore uses a whole processor.
///
/// See the [example](AcceptErrorKind::of).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AcceptErrorKind {
    /// The error concerns one client or one packet: the server accepts the next request.
    Retry,
    /// The process or the system lacks a resource: the server waits, then retries.
    BackOff,
    /// The socket is unusable: the accept loop ends.
    Fatal,
}

impl AcceptErrorKind {
    pub(crate) const COUNT: usize = 3;

    /// Returns the kind of an error.
    ///
    /// ```
    /// use socketserver::AcceptErrorKind;
    /// use std::io::{Error, ErrorKind};
    ///
    /// let aborted = Error::from(ErrorKind::ConnectionAborted);
    /// assert_eq!(AcceptErrorKind::of(&aborted), AcceptErrorKind::Retry);
    /// let too_many_files = Error::from_raw_os_error(24); // EMFILE
    /// assert_eq!(AcceptErrorKind::of(&too_many_files), AcceptErrorKind::BackOff);
    /// ```
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

    /// Returns whether the process or the system has no free descriptor.
    pub(crate) fn is_descriptor_exhaustion(error: &io::Error) -> bool {
        matches!(
            Errno::from_io_error(error),
            Some(Errno::MFILE | errno::NFILE)
        )
    }
}

#[cfg(all(test, linux_api))]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_accept_has_a_kind() {
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
            Errno::NETRESET,
            Errno::MSGSIZE,
            Errno::ACCESS,
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
