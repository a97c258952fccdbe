//! Errors of a server, and the `Result` that handlers return.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::{fmt, io};

use rustix::io::Errno;

use crate::escape::Escaped;

/// Any error that can be sent to another thread.
///
/// `?` converts every such error type to it, and `"text".into()` converts a text.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Result of a handler: `Ok(())`, or an error of any type.
///
/// `?` accepts any error type that can be sent to another thread. A `main` can return this type, too.
///
/// > **Coming from Python.** Returning `Err` corresponds to raising an exception.
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// Reason why a server could not be created or had to stop.
///
/// `Display` states the problem and the next step. `Debug` prints this text and then the cause,
/// because Rust prints `Debug` when `main` returns an error.
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
    /// The socket could not be created, configured or bound.
    ///
    /// - `AddrInUse`: another socket is bound to the address. Port 0 selects a free port. For a Unix
    ///   socket, a file is at the path, which may remain from a server that has ended:
    ///   [`replace_stale`](crate::ServerOptions::replace_stale) replaces it. The message says which of
    ///   these is the case.
    /// - `PermissionDenied`: a port below 1024 needs privileges, and a Unix socket needs write
    ///   permission for the directory of its file.
    Bind {
        /// The requested address.
        address: String,
        /// The system's error.
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

impl Error {
    /// Returns the `io::Error` that caused this error, if any.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Resolve { source, .. }
            | Self::Bind { source, .. }
            | Self::Activate { source, .. }
            | Self::Accept { source }
            | Self::Resources { source, .. } => Some(source),
            Self::NotActivated | Self::AlreadyServing | Self::Signal { .. } => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { address, source } => {
                write!(f, "cannot resolve the address {}", Escaped(address))?;
                f.write_str(match source.kind() {
                    io::ErrorKind::InvalidInput => " (write it as \"HOST:PORT\")",
                    _ => {
                        " (check the spelling of the host name; for all interfaces, Python's \"\", \
                         use \"0.0.0.0:PORT\")"
                    }
                })
            }
            Self::Bind { address, source } => {
                write!(f, "cannot bind to {}", Escaped(address))?;
                match known_advice(source) {
                    Some(advice) => write!(f, " ({advice})"),
                    None => f.write_str(bind_advice(address, source)),
                }
            }
            Self::Activate { address, source } => {
                write!(f, "cannot listen on {}", Escaped(address))?;
                f.write_str(match source.kind() {
                    io::ErrorKind::AddrInUse => bind_advice(address, source),
                    _ => "",
                })
            }
            Self::NotActivated => f.write_str(
                "the server is bound but does not listen yet: call server_activate() first",
            ),
            Self::AlreadyServing => f.write_str(
                "this server is already serving: wait until the running `serve_forever` or \
                 `handle_request` has returned, or create a second server",
            ),
            Self::Accept { .. } => f.write_str(
                "cannot accept requests any more, because the listening socket or the strategy \
                 failed (close this server and bind a new one)",
            ),
            Self::Resources { what, source } => {
                write!(f, "cannot get {what}")?;
                f.write_str(resource_advice(source))
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

/// Error of the system for which the cause is known better than from its number.
#[derive(Debug)]
struct WithAdvice {
    error: io::Error,
    advice: Cow<'static, str>,
}

/// Adds the cause and the next step to an error of binding. [`Error::Bind`] prints them.
pub(crate) fn with_advice(error: io::Error, advice: impl Into<Cow<'static, str>>) -> io::Error {
    let advice = advice.into();
    io::Error::new(error.kind(), WithAdvice { error, advice })
}

impl fmt::Display for WithAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for WithAdvice {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

fn known_advice(error: &io::Error) -> Option<&str> {
    let error = error.get_ref()?.downcast_ref::<WithAdvice>()?;
    Some(&error.advice)
}

/// Next step for a socket that could not be bound.
fn bind_advice(address: &str, error: &io::Error) -> &'static str {
    let inet = address.parse::<SocketAddr>().is_ok();
    match error.kind() {
        io::ErrorKind::AddrInUse if inet => {
            " (another server is using it: stop that one, or bind to another port; port 0 picks a \
             free one)"
        }
        io::ErrorKind::AddrInUse => {
            " (another server is using it, or left its file behind: stop that one, or remove the \
             file)"
        }
        io::ErrorKind::PermissionDenied if inet => {
            " (ports below 1024 need privileges: bind to a higher port, or give the program the \
             capability CAP_NET_BIND_SERVICE)"
        }
        io::ErrorKind::PermissionDenied => {
            " (the process needs write permission for the directory of the socket file)"
        }
        io::ErrorKind::AddrNotAvailable if inet => {
            " (no interface of this machine has this address)"
        }
        io::ErrorKind::NotFound => " (create the directory of the socket file first)",
        io::ErrorKind::InvalidFilename => {
            " (the path of a Unix socket has at most 107 bytes: use a shorter path)"
        }
        _ => descriptor_advice(error),
    }
}

/// Next step if the system did not provide a thread or a descriptor.
fn resource_advice(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::AGAIN) => {
            " (too many threads: raise the limit of the user with `ulimit -u`, or that of the \
             container)"
        }
        _ => descriptor_advice(error),
    }
}

/// Next step if there is no free descriptor.
fn descriptor_advice(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => {
            " (this process has reached its limit of open descriptors: raise it with `ulimit -n`)"
        }
        Some(Errno::NFILE) => {
            " (the system has reached its limit of open descriptors: raise it, on Linux with \
             `sysctl -w fs.file-max=NUMBER`)"
        }
        _ => "",
    }
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
            _ => self.io_error().map(|error| error as _),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for (error, next_step) in [
            (bind("127.0.0.1:80", Errno::ACCESS), "higher port"),
            (bind("/run/s", Errno::ACCESS), "write permission"),
            (bind("/run/s", Errno::NOENT), "create the directory"),
            (bind("/run/s", Errno::NAMETOOLONG), "shorter path"),
            (bind("127.0.0.1:80", Errno::MFILE), "ulimit -n"),
            (resources(Errno::MFILE), "ulimit -n"),
            (resources(Errno::NFILE), "fs.file-max"),
            (resources(Errno::AGAIN), "ulimit -u"),
            (ForkedAfterInstall::error(), "only after"),
        ] {
            assert!(error.to_string().contains(next_step), "{error}");
        }
    }

    #[test]
    fn advice_about_interfaces_is_for_internet_addresses() {
        let error = Error::Bind {
            address: "(unnamed)".into(),
            source: io::ErrorKind::AddrNotAvailable.into(),
        };
        assert_eq!(error.to_string(), "cannot bind to (unnamed)");
    }
}
