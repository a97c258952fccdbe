//! The errors of a server's life, and the `Result` that handlers return.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::{fmt, io};

/// Any error that can be sent to another thread, as `?` makes it out of every error type and
/// `"text".into()` out of a text.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What a handler returns: `Ok(())`, or whatever went wrong, as an exception would.
///
/// `?` works on any error type, and so it does in a `main` that returns this.
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// Why a server could not be made or had to stop.
///
/// `Debug` prints the same readable text as `Display`, followed by the cause, because that is
/// what Rust shows when `main` returns an error.
#[non_exhaustive]
pub enum Error {
    /// The address could not be turned into a socket address: a misspelt host name, a missing
    /// port.
    Resolve {
        /// The address that was asked for.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The socket could not be made, configured or bound.
    ///
    /// `AddrInUse`: somebody else listens there; pass port 0 to get a free one, or, for a Unix
    /// socket, remove the file that a server that is gone has left behind. `PermissionDenied`: a
    /// port below 1024 needs privileges.
    Bind {
        /// The address that was asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bound socket could not be made to listen (see
    /// [`Server::server_activate`](crate::Server::server_activate)).
    Activate {
        /// The address that the socket is bound to.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server was told not to listen yet
    /// ([`activate(false)`](crate::ServerOptions::activate)) and `server_activate` was not
    /// called since.
    NotActivated,
    /// `serve_forever` or `handle_request` is running already, on another thread or further up
    /// on this one.
    AlreadyServing,
    /// The listening socket failed in a way that trying again does not mend; or the strategy, in its
    /// [`wait`](crate::Strategy::wait).
    Accept {
        /// What the system said, or the strategy.
        source: io::Error,
    },
    /// A thread or a descriptor that the server itself needs could not be had.
    Resources {
        /// What it was needed for.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The signal handler could not be installed, because the program has one of its own: call
    /// [`ServerHandle::shutdown`](crate::ServerHandle::shutdown) from there instead.
    Signal {
        /// What the `ctrlc` crate said.
        source: BoxError,
    },
}

impl Error {
    /// The system's error behind this one, if there is one.
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
                write!(f, "cannot resolve the address {address}")?;
                f.write_str(match source.kind() {
                    io::ErrorKind::InvalidInput => " (write it as \"HOST:PORT\")",
                    _ => {
                        " (is the host spelt right? all interfaces, Python's \"\", are \
                         \"0.0.0.0:PORT\")"
                    }
                })
            }
            Self::Bind { address, source } => {
                write!(f, "cannot bind to {address}")?;
                f.write_str(advice(address, source))
            }
            Self::Activate { address, .. } => write!(f, "cannot listen on {address}"),
            Self::NotActivated => f.write_str(
                "the server is bound but does not listen yet: call server_activate() first",
            ),
            Self::AlreadyServing => {
                f.write_str("this server is serving already: make a second server to serve twice")
            }
            Self::Accept { .. } => f.write_str("the listening socket failed"),
            Self::Resources { what, .. } => write!(f, "cannot get {what}"),
            Self::Signal { .. } => f.write_str(
                "cannot install the Ctrl-C handler: if the program has its own, call \
                 ServerHandle::shutdown() from there",
            ),
        }
    }
}

/// What to do about a socket that could not be bound.
fn advice(address: &str, error: &io::Error) -> &'static str {
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
        io::ErrorKind::PermissionDenied if inet => " (ports below 1024 need privileges)",
        io::ErrorKind::AddrNotAvailable => " (no interface of this machine has this address)",
        io::ErrorKind::NotFound => " (the directory of the socket file must exist)",
        io::ErrorKind::InvalidFilename => " (the path of a Unix socket has at most 107 bytes)",
        _ => "",
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match StdError::source(self) {
            Some(source) => write!(f, ": {source}"),
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
