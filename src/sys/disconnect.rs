//! Errors which mean that a client, or the way to it, is gone.
//!
//! The sources are tcp(7), ip(7), udp(7), unix(7), recv(2) and send(2). ip(7) states that network errors are
//! passed to the socket; these are the numbers into which Linux converts ICMP messages
//! (`icmp_err_convert`, `icmpv6_err_convert`). TCP returns the last of them instead of `ETIMEDOUT` when it
//! gives a connection up.
//!
//! The equivalent numbers of Winsock, for a port:
//!
//! | kind | numbers |
//! | --- | --- |
//! | `Closed` | `WSAESHUTDOWN` (10058), `WSAEDISCON` (10101) |
//! | `Reset` | `WSAENETRESET` (10052), `WSAECONNABORTED` (10053), `WSAECONNRESET` (10054; of a UDP socket: the client's socket is closed, so `Closed`) |
//! | `TimedOut` | `WSAETIMEDOUT` (10060), unless a timeout of the socket is set: its expiry has the same number |
//! | `Unreachable` | `WSAENETDOWN` (10050), `WSAENETUNREACH` (10051), `WSAEHOSTDOWN` (10064), `WSAEHOSTUNREACH` (10065), `WSAECONNREFUSED` (10061) |

use std::io;

use crate::disconnect::{ClientGone, DisconnectKind};
use crate::errno::{self, Errno};

/// Returns how a connection was lost whose read or write has returned `error`.
pub(crate) fn of_stream(error: &io::Error) -> Option<DisconnectKind> {
    let Some(errno) = Errno::from_io_error(error) else {
        return of_custom_socket(error.kind());
    };
    match errno {
        errno::PIPE | Errno::SHUTDOWN => Some(DisconnectKind::Closed),
        Errno::CONNRESET | Errno::CONNABORTED | Errno::NETRESET => Some(DisconnectKind::Reset),
        // A send of macOS while the client closes the connection.
        Errno::PROTOTYPE if cfg!(target_vendor = "apple") => Some(DisconnectKind::Reset),
        Errno::TIMEDOUT => Some(DisconnectKind::TimedOut),
        Errno::CONNREFUSED
        | Errno::NOPROTOOPT
        | errno::PROTO
        | Errno::OPNOTSUPP
        | Errno::ACCESS => Some(DisconnectKind::Unreachable),
        Errno::NETDOWN => Some(DisconnectKind::Unreachable),
        errno if is_unreachable(errno) => Some(DisconnectKind::Unreachable),
        _ => None,
    }
}

/// Sockets of other types return errors without a number. `TimedOut` is not one of them, because it reports
/// that the socket's timeout has expired.
fn of_custom_socket(kind: io::ErrorKind) -> Option<DisconnectKind> {
    match kind {
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => Some(DisconnectKind::Closed),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            Some(DisconnectKind::Reset)
        }
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => Some(DisconnectKind::Unreachable),
        _ => None,
    }
}

/// Marks the error of a reply to the client of a datagram if the client is gone.
pub(crate) fn mark_reply(error: io::Error) -> io::Error {
    match Errno::from_io_error(&error).and_then(of_reply) {
        Some(kind) => ClientGone::broken(kind, error, None),
        None => error,
    }
}

fn of_reply(errno: Errno) -> Option<DisconnectKind> {
    match errno {
        // No socket has the address of the client any more; for a Unix socket with a path, the file may be
        // removed, or belong to a socket of another type by now.
        Errno::CONNREFUSED | errno::NOENT | Errno::PROTOTYPE | errno::PIPE | Errno::SHUTDOWN => {
            Some(DisconnectKind::Closed)
        }
        Errno::CONNRESET | Errno::NETRESET => Some(DisconnectKind::Reset),
        Errno::NETDOWN => Some(DisconnectKind::Unreachable),
        errno if is_unreachable(errno) => Some(DisconnectKind::Unreachable),
        _ => None,
    }
}

/// Returns whether the network cannot deliver packets to a host, as routers report it.
pub(super) fn is_unreachable(errno: Errno) -> bool {
    // Only Linux defines this error.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if errno == Errno::NONET {
        return true;
    }
    matches!(
        errno,
        Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::HOSTDOWN
    )
}

#[cfg(all(test, linux_api))]
mod tests {
    use super::*;

    const UNREACHABLE: [Errno; 5] = [
        Errno::HOSTUNREACH,
        Errno::NETUNREACH,
        Errno::HOSTDOWN,
        Errno::NETDOWN,
        Errno::NONET,
    ];

    /// Errors of the server itself, or of its system.
    const NONE: [Errno; 10] = [
        Errno::AGAIN,
        Errno::INTR,
        Errno::BADF,
        Errno::INVAL,
        Errno::NOTSOCK,
        Errno::FAULT,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::MSGSIZE,
        Errno::PERM,
    ];

    #[test]
    fn errors_of_connections_have_kinds() {
        use DisconnectKind::{Closed, Reset, TimedOut, Unreachable};

        let of = |errno: Errno| of_stream(&errno.into());
        for errno in [Errno::PIPE, Errno::SHUTDOWN] {
            assert_eq!(of(errno), Some(Closed), "{errno}");
        }
        for errno in [Errno::CONNRESET, Errno::CONNABORTED, Errno::NETRESET] {
            assert_eq!(of(errno), Some(Reset), "{errno}");
        }
        assert_eq!(of(Errno::TIMEDOUT), Some(TimedOut));
        let messages = [
            Errno::CONNREFUSED,
            Errno::NOPROTOOPT,
            Errno::PROTO,
            Errno::OPNOTSUPP,
            Errno::ACCESS,
        ];
        for errno in messages.into_iter().chain(UNREACHABLE) {
            assert_eq!(of(errno), Some(Unreachable), "{errno}");
        }
        for errno in NONE.into_iter().chain([Errno::NOENT]) {
            assert_eq!(of(errno), None, "{errno}");
        }
    }

    #[test]
    fn errors_of_custom_sockets_have_kinds() {
        let of = |kind: io::ErrorKind| of_stream(&io::Error::new(kind, "custom"));
        assert_eq!(
            of(io::ErrorKind::UnexpectedEof),
            Some(DisconnectKind::Closed)
        );
        assert_eq!(
            of(io::ErrorKind::ConnectionReset),
            Some(DisconnectKind::Reset)
        );
        assert_eq!(
            of(io::ErrorKind::HostUnreachable),
            Some(DisconnectKind::Unreachable)
        );
        assert_eq!(of(io::ErrorKind::TimedOut), None, "the socket's timeout");
        assert_eq!(of(io::ErrorKind::Other), None);
    }

    #[test]
    fn errors_of_replies_have_kinds() {
        use DisconnectKind::{Closed, Reset, Unreachable};

        for errno in [
            Errno::CONNREFUSED,
            Errno::NOENT,
            Errno::PROTOTYPE,
            Errno::PIPE,
            Errno::SHUTDOWN,
        ] {
            assert_eq!(of_reply(errno), Some(Closed), "{errno}");
        }
        for errno in [Errno::CONNRESET, Errno::NETRESET] {
            assert_eq!(of_reply(errno), Some(Reset), "{errno}");
        }
        for errno in UNREACHABLE {
            assert_eq!(of_reply(errno), Some(Unreachable), "{errno}");
        }
        let others = [Errno::ACCESS, Errno::TIMEDOUT, Errno::ADDRNOTAVAIL];
        for errno in NONE.into_iter().chain(others) {
            assert_eq!(of_reply(errno), None, "{errno}");
        }
    }
}
