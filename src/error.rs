//! Errors of a server, and the `Result` that handlers return.

mod advice;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;
use std::{fmt, io};

pub(crate) use self::advice::with_advice;

use crate::escape::Escaped;

/// Any error that can be sent to another thread.
///
/// `?` converts every such error type to it, and `"text".into()` converts a text.
///
/// ```
/// use socketserver::BoxError;
///
/// fn parse(text: &str) -> Result<u16, BoxError> {
///     if text.is_empty() {
///         return Err("no number".into());
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("80").unwrap(), 80);
/// assert_eq!(parse("").unwrap_err().to_string(), "no number");
/// ```
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Result of a handler: `Ok(())`, or an error of any type.
///
/// `?` accepts any error type that can be sent to another thread. A `main` can return this type, too.
///
/// > **Coming from Python.** Returning `Err` corresponds to raising an exception.
///
/// ```
/// use socketserver::{prelude::*, testing::converse};
///
/// fn double(request: &mut TcpRequest) -> Result {
///     let number: u64 = request.next_text_line(20)?.unwrap_or_default().parse()?;
///     Ok(writeln!(request, "{}", 2 * number)?)
/// }
/// assert_eq!(converse(handler_fn(double), "21\n")?, b"42\n");
/// # Ok::<(), BoxError>(())
/// ```
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// Reason why a server could not be created or had to stop.
///
/// `Display` states the problem and the next step. `Debug` prints this text and then the cause,
/// because Rust prints `Debug` when `main` returns an error.
///
/// ```
/// use socketserver::{Error, prelude::*};
///
/// # let hello = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
/// let first = TcpServer::bind("127.0.0.1:0", hello())?;
/// let error = TcpServer::bind(first.server_address(), hello()).unwrap_err();
/// assert!(matches!(error, Error::Bind { .. }));
/// let cause = error.io_error().map(std::io::Error::kind);
/// assert_eq!(cause, Some(std::io::ErrorKind::AddrInUse));
/// # Ok::<(), BoxError>(())
/// ```
#[non_exhaustive]
pub enum Error {
    /// The address could not be resolved to a socket address, for example because the host name is
    /// misspelt or the port is missing.
    Resolve {
        /// The requested address.
        address: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// The socket could not be created, configured or bound, or a given socket could not be used.
    ///
    /// - `AddrInUse`: another socket is bound to the address. Port 0 selects a free port. For a Unix
    ///   socket, a file is at the path, which may remain from a server that has ended:
    ///   [`replace_stale`](crate::ServerOptions::replace_stale) replaces it. The message says which of
    ///   these is the case.
    /// - `PermissionDenied`: a port below 1024 needs privileges, and a Unix socket needs write
    ///   permission for the directory of its file.
    ///
    /// If a host name has several addresses and none can be bound to, this is the error of the first one
    /// that the machine has.
    Bind {
        /// The requested address.
        address: String,
        /// The system's error. Its kind is always that of the system; its number
        /// ([`raw_os_error`](io::Error::raw_os_error)) is missing where the message has a cause that was
        /// found out, such as the file at a path in use.
        source: io::Error,
    },
    /// The bound socket could not be made to listen (see
    /// [`Server::server_activate`](crate::Server::server_activate)).
    Activate {
        /// The address that the socket is bound to.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// The server is bound but does not listen: it was created with
    /// [`activate(false)`](crate::ServerOptions::activate), and
    /// [`server_activate`](crate::Server::server_activate) has not been called.
    NotActivated,
    /// `serve_forever` or `handle_request` is already running, on another thread or in a caller on
    /// this thread. Also returned in a forked child process, because the server belongs to the parent.
    AlreadyServing,
    /// The accept loop ended, because of an error of the listening socket that a retry cannot fix
    /// ([`AcceptErrorKind::Fatal`](crate::AcceptErrorKind::Fatal)), or an error of the strategy's
    /// [`wait`](crate::Strategy::wait).
    Accept {
        /// The error of the system or of the strategy.
        source: io::Error,
    },
    /// A server of a [`ServerGroup`](crate::ServerGroup) could not serve, or had to stop. The group has stopped because
    /// of it.
    Member {
        /// The name of the server in the group.
        name: String,
        /// The error of the server.
        source: Arc<Self>,
    },
    /// The [`ServerGroup`](crate::ServerGroup) has no servers.
    EmptyGroup,
    /// The system did not provide a thread or a descriptor that the server itself needs.
    Resources {
        /// Name and purpose of the missing resource.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// Signals cannot stop the server.
    ///
    /// - [`shutdown_on_ctrl_c`](crate::Server::shutdown_on_ctrl_c) returns it if the program already has
    ///   a signal handler from the `ctrlc` crate: call
    ///   [`ServerHandle::shutdown`](crate::ServerHandle::shutdown) from that handler instead.
    /// - `shutdown_on_ctrl_c`, `serve_forever`, `handle_request` and `spawn` return it in a process that was
    ///   forked after a call of `shutdown_on_ctrl_c`, for example to become a daemon. The thread that waits
    ///   for signals is in the parent process, and signals would have no effect. Call `shutdown_on_ctrl_c`
    ///   after the fork only.
    Signal {
        /// The error of the `ctrlc` crate, or a text about the fork.
        source: BoxError,
    },
}

/// Address in the errors of a socket that was made elsewhere.
pub(crate) const GIVEN_SOCKET: &str = "the given socket";

impl Error {
    /// Returns the `io::Error` that caused this error, if any.
    ///
    /// See the [example](Self).
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Resolve { source, .. }
            | Self::Bind { source, .. }
            | Self::Activate { source, .. }
            | Self::Accept { source }
            | Self::Resources { source, .. } => Some(source),
            Self::Member { source, .. } => source.io_error(),
            Self::NotActivated | Self::AlreadyServing | Self::EmptyGroup | Self::Signal { .. } => {
                None
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { address, source } => {
                let advice = advice::resolve(address, source);
                write!(
                    f,
                    "cannot resolve the address {} ({})",
                    Escaped(address),
                    Escaped(&advice)
                )
            }
            Self::Bind { address, source } => {
                let verb = match address.as_str() {
                    GIVEN_SOCKET => "use",
                    _ => "bind to",
                };
                write!(f, "cannot {verb} {}", Escaped(address))?;
                write_advice(f, advice::bind(address, source))
            }
            Self::Activate { address, source } => {
                write!(f, "cannot listen on {}", Escaped(address))?;
                write_advice(f, advice::bind(address, source))
            }
            Self::NotActivated => f.write_str(
                "the server is bound but does not listen yet: call server_activate() first",
            ),
            Self::AlreadyServing => f.write_str(
                "this server is already serving, or this process was forked from the one that has the \
                 server: wait until the running `serve_forever` or `handle_request` has returned, or \
                 create a second server",
            ),
            Self::Accept { source } => {
                let advice = advice::accept(source);
                write!(f, "cannot accept requests any more ({advice})")
            }
            Self::Member { name, source } => write!(f, "{}: {source}", Escaped(name)),
            Self::EmptyGroup => f.write_str("the group has no servers: call add() first"),
            Self::Resources { what, source } => {
                write!(f, "cannot get {what}")?;
                write_advice(f, advice::resources(source))
            }
            Self::Signal { source } if source.is::<ForkedAfterInstall>() => f.write_str(
                "signals would not stop the server: call shutdown_on_ctrl_c() only after the process \
                 has become a daemon, or after the fork for another reason",
            ),
            Self::Signal { .. } => f.write_str(
                "cannot install the Ctrl-C handler: if the program has its own, call \
                 ServerHandle::shutdown() from there",
            ),
        }
    }
}

/// Source of an [`Error::Signal`] in a process that was forked after the signal handler was installed.
#[derive(Debug)]
pub(crate) struct ForkedAfterInstall;

impl ForkedAfterInstall {
    pub(crate) fn error() -> Error {
        Error::Signal {
            source: Box::new(Self),
        }
    }
}

impl fmt::Display for ForkedAfterInstall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this process was forked after a call of shutdown_on_ctrl_c(), and the thread that waits for \
             signals is in the parent process",
        )
    }
}

impl StdError for ForkedAfterInstall {}

fn write_advice(f: &mut fmt::Formatter<'_>, advice: Option<Cow<'static, str>>) -> fmt::Result {
    advice.map_or(Ok(()), |advice| write!(f, " ({})", Escaped(advice)))
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match StdError::source(self) {
            Some(source) => write!(f, ": {}", Escaped(source)),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Signal { source } => Some(&**source),
            Self::Member { source, .. } => source.source(),
            _ => self.io_error().map(|error| error as _),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::Errno;

    use super::*;

    /// Errors that a test cannot provoke on every machine. `tests/suite/options/errors.rs` has the others.
    #[test]
    fn every_error_states_the_next_step() {
        let bind = |address: &str, errno: Errno| Error::Bind {
            address: address.into(),
            source: errno.into(),
        };
        let resources = |errno: Errno| Error::Resources {
            what: "a thread",
            source: errno.into(),
        };
        let accept = |errno: Errno| Error::Accept {
            source: errno.into(),
        };
        for (error, next_step) in [
            (bind("127.0.0.1:80", Errno::ACCESS), "higher port"),
            (bind("127.0.0.1:8080", Errno::ACCESS), "SELinux"),
            (bind("127.0.0.1:8080", Errno::PERM), "SELinux"),
            (bind("127.0.0.1:80", Errno::AFNOSUPPORT), "\"[::]:80\""),
            (bind("127.0.0.1:80", Errno::MFILE), "ulimit -n"),
            (bind("127.0.0.1:80", Errno::NOBUFS), "memory"),
            (bind("127.0.0.1:80", Errno::NOPROTOOPT), "options"),
            (bind("/run/s", Errno::PERM), "another directory"),
            (bind("/run/s", Errno::ROFS), "read-only"),
            (bind("/run/s", Errno::NOSPC), "full"),
            (bind("/run/s", Errno::AFNOSUPPORT), "may not use"),
            (bind("@name", Errno::AFNOSUPPORT), "use a path"),
            (accept(Errno::BADF), "has closed the descriptor"),
            (resources(Errno::MFILE), "ulimit -n"),
            (resources(Errno::NFILE), "fs.file-max"),
            (resources(Errno::AGAIN), "ulimit -u"),
            (ForkedAfterInstall::error(), "only after"),
            (resources(Errno::NOMEM), "memory"),
        ] {
            assert!(error.to_string().contains(next_step), "{error}");
        }
    }

    /// An error without a number comes from a custom transport or a function given to `before_bind`.
    #[test]
    fn errors_without_a_number_explain_themselves() {
        let error = Error::Bind {
            address: "127.0.0.1:80".into(),
            source: io::ErrorKind::PermissionDenied.into(),
        };
        assert_eq!(error.to_string(), "cannot bind to 127.0.0.1:80");
    }

    #[test]
    fn added_advice_replaces_that_of_the_number() {
        let source = with_advice(Errno::ACCESS.into(), "because of the weather");
        assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
        let address = "127.0.0.1:80".into();
        let error = Error::Bind { address, source };
        let text = "cannot bind to 127.0.0.1:80 (because of the weather)";
        assert_eq!(error.to_string(), text);
        let cause = io::Error::from(Errno::ACCESS);
        assert_eq!(format!("{error:?}"), format!("{text}: {cause}"));
    }
}
