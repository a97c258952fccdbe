//! Errors of what precedes the first message of a connection: the header of a proxy, and the TLS handshake.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a connection has ended before its handler ran:
/// [`Service::handshake_error`](crate::Service::handshake_error).
///
/// ```
/// use socketserver::HandshakeErrorKind;
/// # use std::error::Error;
/// # fn check(error: &socketserver::HandshakeError) {
/// if error.kind() == HandshakeErrorKind::NotTls {
///     println!("not a TLS client: {}", error.io_error());
/// }
/// assert!(error.source().is_some());
/// # }
/// ```
#[derive(Debug)]
pub struct HandshakeError {
    kind: HandshakeErrorKind,
    source: io::Error,
}

/// The kind of a [`HandshakeError`].
///
/// See the [example](HandshakeError).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeErrorKind {
    /// The client did not complete the handshake within
    /// [`handshake_timeout`](crate::ServerOptions::handshake_timeout).
    TimedOut,
    /// The client left.
    Disconnected,
    /// The header of a proxy is missing, malformed, too long, comes from a source that is not trusted, or comes
    /// after the client was served without one.
    ProxyHeader,
    /// The client does not speak TLS: for example, an HTTP client on the port of an HTTPS server.
    NotTls,
    /// Client and server have no version, cipher suite or protocol of TLS in common.
    Incompatible,
    /// The client's certificate is missing or not valid.
    ClientCertificate,
    /// The client has ended the handshake with an alert: for example, it does not trust the server's
    /// certificate.
    Alert,
    /// Any other error, also of a handshake of your own.
    Other,
}

impl HandshakeErrorKind {
    pub(crate) const COUNT: usize = 8;

    fn of(error: &io::Error) -> Self {
        #[cfg(feature = "tls")]
        if let Some(kind) = tls_kind(error) {
            return kind;
        }
        if let Some(kind) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Marked>())
        {
            return kind.kind;
        }
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe => Self::Disconnected,
            _ => Self::Other,
        }
    }
}

/// Returns the kind of a failed handshake, if its error is one of TLS.
#[cfg(feature = "tls")]
fn tls_kind(error: &io::Error) -> Option<HandshakeErrorKind> {
    use rustls::Error as Tls;
    Some(match error.get_ref()?.downcast_ref::<Tls>()? {
        Tls::InvalidMessage(_) => HandshakeErrorKind::NotTls,
        Tls::PeerIncompatible(_) | Tls::NoApplicationProtocol => HandshakeErrorKind::Incompatible,
        Tls::InvalidCertificate(_)
        | Tls::NoCertificatesPresented
        | Tls::InvalidCertRevocationList(_) => HandshakeErrorKind::ClientCertificate,
        Tls::AlertReceived(_) => HandshakeErrorKind::Alert,
        _ => HandshakeErrorKind::Other,
    })
}

impl HandshakeError {
    pub(crate) fn new(source: io::Error) -> Self {
        Self {
            kind: HandshakeErrorKind::of(&source),
            source,
        }
    }

    /// The kind of this error.
    ///
    /// See the [example](Self).
    pub fn kind(&self) -> HandshakeErrorKind {
        self.kind
    }

    /// The error of the system, of TLS or of the header.
    ///
    /// See the [example](Self).
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the handshake failed: {}", self.source)
    }
}

impl Error for HandshakeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Message of an error with a kind of its own.
#[derive(Debug)]
struct Marked {
    kind: HandshakeErrorKind,
    message: &'static str,
}

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for Marked {}

/// Returns the error of a client that has not completed the handshake in time.
pub(crate) fn timed_out() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the client did not complete it in time (the server's `handshake_timeout`)",
    )
}

/// Returns the error of a client that has left.
pub(crate) fn disconnected() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the client left")
}

/// Returns the error of a wrong header of a proxy.
#[cfg(feature = "proxy-protocol")]
pub(crate) fn proxy_header(message: &'static str) -> io::Error {
    let kind = HandshakeErrorKind::ProxyHeader;
    io::Error::new(io::ErrorKind::InvalidData, Marked { kind, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_from_the_error() {
        let kind = |error| HandshakeError::new(error).kind();
        assert_eq!(kind(timed_out()), HandshakeErrorKind::TimedOut);
        assert_eq!(kind(disconnected()), HandshakeErrorKind::Disconnected);
        let reset = io::ErrorKind::ConnectionReset.into();
        assert_eq!(kind(reset), HandshakeErrorKind::Disconnected);
        assert_eq!(kind(io::Error::other("?")), HandshakeErrorKind::Other);
    }
}
