//! What went wrong with one request: what `handle_error` is given.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};

use crate::error::BoxError;
use crate::panics::catch_panic;
use crate::timeout::TimeoutKind;

/// Where in a request's life it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// In [`Service::verify_request`](crate::Service::verify_request).
    VerifyRequest,
    /// In the strategy: the request could not be run, for example because no thread could be
    /// had.
    ProcessRequest,
    /// In [`Service::request_handler`](crate::Service::request_handler), or while the handler
    /// was dropped.
    RequestHandler,
    /// In [`RequestHandler::setup`](crate::RequestHandler::setup).
    Setup,
    /// In [`RequestHandler::handle`](crate::RequestHandler::handle).
    Handle,
    /// In [`RequestHandler::finish`](crate::RequestHandler::finish).
    Finish,
    /// While the reply to a datagram was sent.
    Reply,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VerifyRequest => "verify_request",
            Self::ProcessRequest => "process_request",
            Self::RequestHandler => "request_handler",
            Self::Setup => "setup",
            Self::Handle => "handle",
            Self::Finish => "finish",
            Self::Reply => "the reply",
        })
    }
}

/// An error or a panic in the course of one request. Its text (`Display`) says where and what, with
/// all causes.
///
/// > **Coming from Python.** An `Err` and a panic are both what an `Exception` is there: the
/// > request ends, `handle_error` is told, the server goes on. Nothing that a handler does ends
/// > the loop.
#[derive(Debug)]
pub struct HandlerError {
    stage: Stage,
    cause: Cause,
    context: Option<Box<HandlerError>>,
}

#[derive(Debug)]
enum Cause {
    Error(BoxError),
    Panic(String),
}

impl HandlerError {
    pub(crate) fn new(stage: Stage, error: BoxError) -> Self {
        Self {
            stage,
            cause: Cause::Error(error),
            context: None,
        }
    }

    /// Runs one stage of a request; an `Err` and a panic both come out as a `HandlerError`.
    pub(crate) fn catch<T>(
        stage: Stage,
        run: impl FnOnce() -> Result<T, BoxError>,
    ) -> Result<T, Self> {
        match catch_panic(run) {
            Ok(outcome) => outcome.map_err(|error| Self::new(stage, error)),
            Err(message) => Err(Self {
                stage,
                cause: Cause::Panic(message),
                context: None,
            }),
        }
    }

    /// This error, raised while `context` was being dealt with.
    pub(crate) fn with_context(mut self, context: Self) -> Self {
        self.context = Some(Box::new(context));
        self
    }

    /// Where it happened.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The error that was returned; `None` for a panic.
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.cause {
            Cause::Error(error) => Some(&**error),
            Cause::Panic(_) => None,
        }
    }

    /// The text of the panic; `None` for an error.
    pub fn panic_message(&self) -> Option<&str> {
        match &self.cause {
            Cause::Error(_) => None,
            Cause::Panic(message) => Some(message),
        }
    }

    /// The error that was being dealt with when this one came up: `finish` runs even if `handle`
    /// failed, and if it fails too, its error is reported with that of `handle` as context, as in
    /// Python ("During handling of the above exception, another exception occurred").
    pub fn context(&self) -> Option<&HandlerError> {
        self.context.as_deref()
    }

    /// Whether all that happened is that the client went away (or that the server cut it off to
    /// stop): the connection was reset or closed while the handler was reading from the request or
    /// writing to it. A broken connection to somebody else, a database say, is not that.
    ///
    /// The default `handle_error` says nothing about these.
    pub fn is_disconnect(&self) -> bool {
        self.all(|error| {
            error
                .get_ref()
                .is_some_and(|inner| inner.is::<ClientGone>() || inner.is::<ShuttingDown>())
        })
    }

    /// Whether the server cut the connection because it is stopping ([`ShuttingDown`]).
    pub fn is_shutting_down(&self) -> bool {
        self.all(ShuttingDown::is_cause_of)
    }

    /// Whether this error, and the one that it came up after, are of some kind: a failure that is
    /// more than that must not hide behind it.
    fn all(&self, kind: fn(&io::Error) -> bool) -> bool {
        self.io_error().is_some_and(kind) && self.context().is_none_or(|context| context.all(kind))
    }

    /// Whether a read or a write ran into its timeout; [`timeout_kind`](Self::timeout_kind) says which.
    /// Python: `isinstance(error, TimeoutError)`.
    #[doc(alias = "TimeoutError")]
    pub fn is_timeout(&self) -> bool {
        self.io_error()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    /// Which time of the request a read or a write ran out of, if that is what happened. `None` for a
    /// [timeout](Self::is_timeout) of anything else than the request.
    pub fn timeout_kind(&self) -> Option<TimeoutKind> {
        self.io_error().and_then(TimeoutKind::of)
    }

    /// The first `io::Error` in the chain of causes.
    fn io_error(&self) -> Option<&io::Error> {
        let mut next: Option<&(dyn Error + 'static)> = Some(self.error()?);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// Writes what Python's `handle_error` writes to stderr: a line of dashes, who the client
    /// was, what went wrong, and the dashes again. In the place of the traceback are the stage,
    /// the error and its causes. A mere [disconnect](Self::is_disconnect) is not written at all.
    #[doc(alias = "traceback")]
    #[doc(alias = "print_exc")]
    pub fn report(&self, client_address: &impl crate::Address) {
        if self.is_disconnect() {
            return;
        }
        let dashes = "-".repeat(40);
        let from = client_address.to_python();
        let text = format!(
            "{dashes}\nException occurred during processing of request from {from}\n{self}\n{dashes}\n"
        );
        // One write, so that reports from several threads do not mix; a closed stderr is nobody's
        // problem here.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(context) = &self.context {
            write!(f, "{context}\nwhile that was dealt with, ")?;
        }
        match &self.cause {
            Cause::Panic(message) => write!(f, "{} panicked: {message}", self.stage),
            Cause::Error(error) => {
                write!(f, "{} failed: {error}", self.stage)?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, "\ncaused by: {error}")?;
                    source = error.source();
                }
                Ok(())
            }
        }
    }
}

impl Error for HandlerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error().map(|error| error as _)
    }
}

/// The client is gone: inside the errors of a request that say so, and only there, so that they can
/// be told from those of a file or of another connection.
#[derive(Debug)]
pub(crate) enum ClientGone {
    /// It closed the connection where the handler needed more.
    MidMessage,
    /// The connection is broken.
    Broken(io::Error),
}

impl ClientGone {
    pub(crate) fn mid_message() -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, Self::MidMessage)
    }

    pub(crate) fn broken(error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self::Broken(error))
    }
}

impl fmt::Display for ClientGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MidMessage => {
                f.write_str("the client closed the connection in the middle of a message")
            }
            Self::Broken(error) => error.fmt(f),
        }
    }
}

impl Error for ClientGone {}

/// The server cut the connection because it is stopping and the grace period is over.
///
/// It is inside the [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) error that reads and
/// writes of a request return then; [`ShuttingDown::is_cause_of`] finds it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ShuttingDown;

impl ShuttingDown {
    pub(crate) fn error() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionAborted, Self)
    }

    /// Whether `error` came up because the server is stopping.
    pub fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl fmt::Display for ShuttingDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server is shutting down and the grace period is over")
    }
}

impl Error for ShuttingDown {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeout::TimedOut;

    fn failed(error: impl Into<BoxError>) -> HandlerError {
        HandlerError::new(Stage::Handle, error.into())
    }

    #[test]
    fn a_vanished_client_is_told_from_other_errors() {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(failed(ClientGone::broken(reset())).is_disconnect());
        assert!(failed(ClientGone::mid_message()).is_disconnect());
        assert!(
            !failed(reset()).is_disconnect(),
            "of somebody else's connection"
        );
        assert!(failed(ShuttingDown::error()).is_disconnect());
        assert!(failed(ShuttingDown::error()).is_shutting_down());
        assert!(!failed(io::Error::from(io::ErrorKind::UnexpectedEof)).is_disconnect());
        assert!(!failed("no").is_disconnect());
        let timeout = failed(io::Error::from(io::ErrorKind::TimedOut));
        assert!(timeout.is_timeout());
        assert_eq!(
            timeout.timeout_kind(),
            None,
            "of somebody else's connection"
        );
        let timeout = failed(TimedOut::error(TimeoutKind::Idle, None));
        assert!(timeout.is_timeout() && !timeout.is_disconnect());
        assert_eq!(timeout.timeout_kind(), Some(TimeoutKind::Idle));
    }

    #[test]
    fn a_disconnect_is_found_behind_other_errors() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("outer")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = failed(Outer(ClientGone::mid_message()));
        assert!(error.is_disconnect());
        assert!(
            error
                .to_string()
                .starts_with("handle failed: outer\ncaused by: ")
        );
    }

    #[test]
    fn a_failure_does_not_hide_behind_a_disconnect() {
        let gone = || failed(ClientGone::mid_message());
        assert!(gone().with_context(gone()).is_disconnect());
        assert!(
            !gone()
                .with_context(failed("the database is down"))
                .is_disconnect()
        );
    }

    #[test]
    fn a_panic_is_caught_with_its_message() {
        let error = HandlerError::catch::<()>(Stage::Setup, || panic!("no {}", "way")).unwrap_err();
        assert_eq!(error.panic_message(), Some("no way"));
        assert_eq!(error.to_string(), "setup panicked: no way");
        let both = failed("second").with_context(error);
        assert_eq!(
            both.to_string(),
            "setup panicked: no way\nwhile that was dealt with, handle failed: second"
        );
    }
}
