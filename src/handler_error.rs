//! Errors of one request, which `handle_error` receives.

use std::error::Error;
use std::fmt;
use std::io;

use crate::address::Address;
use crate::disconnect::{ConnectionId, DisconnectKind, ShuttingDown};
use crate::error::BoxError;
use crate::escape::Escaped;
use crate::panics::catch_panic;
use crate::sys::stderr;
use crate::timeout::TimeoutKind;

/// Stage of a request in which an error occurred.
///
/// See the [example](crate::HandlerError).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// In [`Service::verify_request`](crate::Service::verify_request).
    VerifyRequest,
    /// In the strategy: the request could not be started, for example because the system provided no
    /// thread, or because [`Forking::in_child`](crate::Forking::in_child) panicked.
    ProcessRequest,
    /// In [`Service::request_handler`](crate::Service::request_handler), or in the `Drop` of the
    /// handler.
    RequestHandler,
    /// In [`RequestHandler::setup`](crate::RequestHandler::setup).
    Setup,
    /// In [`RequestHandler::handle`](crate::RequestHandler::handle).
    Handle,
    /// In [`RequestHandler::finish`](crate::RequestHandler::finish).
    Finish,
    /// While the server sent the reply to a datagram.
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

/// Error or panic during one request.
///
/// `Display` shows the stage, the error and all its causes, a line for each. A message may quote the
/// client's input, so control characters in it, line ends included, are escaped as in a Rust literal: a
/// client can neither forge lines of a log nor control the terminal that shows it. [`error`](Self::error)
/// and [`panic_message`](Self::panic_message) return the messages unchanged.
///
/// > **Coming from Python.** An `Err` and a panic both correspond to an `Exception`: the request
/// > ends, the server calls `handle_error` and continues. Neither ends the accept loop.
///
/// ```
/// use socketserver::{Stage, prelude::*, testing::converse};
///
/// let service = handler_fn(|_request: &mut TcpRequest| Err("no disk".into()));
/// let error = converse(service, "").unwrap_err().error;
/// assert_eq!((error.stage(), error.to_string().as_str()), (Stage::Handle, "handle failed: no disk"));
/// assert_eq!(error.error().map(ToString::to_string).as_deref(), Some("no disk"));
/// assert!(error.panic_message().is_none() && error.context().is_none());
///
/// let service = handler_fn(|request: &mut TcpRequest| Ok(request.read_exactly(10).map(drop)?));
/// let error = converse(service, "short").unwrap_err().error;
/// assert!(error.is_disconnect() && error.disconnect_kind().is_some());
/// assert!(!error.is_shutting_down() && !error.is_timeout() && error.timeout_kind().is_none());
/// ```
#[derive(Debug)]
pub struct HandlerError {
    stage: Stage,
    cause: Cause,
    context: Option<Box<HandlerError>>,
    /// The connection of the request.
    connection: Option<ConnectionId>,
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
            connection: None,
        }
    }

    /// Runs one stage of a request. Converts an `Err` or a panic to a `HandlerError`.
    pub(crate) fn catch<T>(
        stage: Stage,
        run: impl FnOnce() -> Result<T, BoxError>,
    ) -> Result<T, Self> {
        match catch_panic(run) {
            Ok(outcome) => outcome.map_err(|error| Self::new(stage, error)),
            Err(message) => Err(Self::panicked(stage, message)),
        }
    }

    pub(crate) fn panicked(stage: Stage, message: String) -> Self {
        Self {
            stage,
            cause: Cause::Panic(message),
            context: None,
            connection: None,
        }
    }

    /// Adds `context`, an earlier error of the same request.
    pub(crate) fn with_context(mut self, context: Self) -> Self {
        self.context = Some(Box::new(context));
        self
    }

    /// Sets the connection of the request, whose disconnect is no failure.
    pub(crate) fn set_connection(&mut self, connection: Option<ConnectionId>) {
        self.connection = connection;
        if let Some(context) = &mut self.context {
            context.set_connection(connection);
        }
    }

    /// Returns the stage in which the error occurred.
    ///
    /// See the [example](Self).
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Returns the error; `None` for a panic.
    ///
    /// See the [example](Self).
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.cause {
            Cause::Error(error) => Some(&**error),
            Cause::Panic(_) => None,
        }
    }

    /// Returns the message of the panic; `None` for an error.
    ///
    /// See the [example](Self).
    pub fn panic_message(&self) -> Option<&str> {
        match &self.cause {
            Cause::Error(_) => None,
            Cause::Panic(message) => Some(message),
        }
    }

    /// Returns the earlier error of the same request, if any.
    ///
    /// `finish` runs even if `handle` failed. If `finish` fails too, its error has the error of
    /// `handle` as context, as in Python ("During handling of the above exception, another exception
    /// occurred").
    ///
    /// See the [example](Self).
    pub fn context(&self) -> Option<&HandlerError> {
        self.context.as_deref()
    }

    /// Returns whether the request has lost its client; [`disconnect_kind`](Self::disconnect_kind) returns
    /// how. The default `handle_error` does not report such a request, and it counts as
    /// [`disconnected`](crate::Stats::disconnected), not as failed.
    ///
    /// Python: `isinstance(error, ConnectionError)`.
    ///
    /// See the [example](Self).
    #[doc(alias = "ConnectionError")]
    pub fn is_disconnect(&self) -> bool {
        self.disconnect_kind().is_some()
    }

    /// Returns how the request has lost its client: the client or the network has ended the connection
    /// while the handler was reading from the request or writing to it, or the server has force-closed it
    /// in order to stop. For a datagram, the reply could not be delivered.
    ///
    /// `None` for any other error, including a broken connection to any other peer, for example a database
    /// or another client of the server ([`Sender`](crate::Sender)), and if an error that is no disconnect is the
    /// [context](Self::context), because a disconnect must not hide another failure of the same request.
    ///
    /// See the [example](Self).
    pub fn disconnect_kind(&self) -> Option<DisconnectKind> {
        let of_own = |error| DisconnectKind::of_own_client(error, self.connection);
        let kind = self.io_error().and_then(of_own)?;
        self.context().map_or(Some(kind), Self::disconnect_kind)
    }

    /// Returns whether the server force-closed the connection because it is stopping
    /// ([`ShuttingDown`]).
    ///
    /// See the [example](Self).
    pub fn is_shutting_down(&self) -> bool {
        self.io_error().is_some_and(ShuttingDown::is_cause_of)
            && self.context().is_none_or(Self::is_shutting_down)
    }

    /// Returns whether a timeout expired; [`timeout_kind`](Self::timeout_kind) returns which one.
    /// Includes timeouts of other sockets that the handler uses, and `ETIMEDOUT` of the client's connection,
    /// which is a [disconnect](DisconnectKind::TimedOut), too.
    ///
    /// Python: `isinstance(error, TimeoutError)`.
    ///
    /// See the [example](Self).
    #[doc(alias = "TimeoutError")]
    pub fn is_timeout(&self) -> bool {
        self.io_error()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    /// Returns which timeout of the request expired. `None` for any other error, including a
    /// [timeout](Self::is_timeout) of another socket.
    ///
    /// See the [example](Self).
    pub fn timeout_kind(&self) -> Option<TimeoutKind> {
        self.io_error().and_then(TimeoutKind::of)
    }

    /// Returns the first `io::Error` in the chain of causes.
    fn io_error(&self) -> Option<&io::Error> {
        let mut next: Option<&(dyn Error + 'static)> = Some(self.error()?);
        while let Some(error) = next {
            if let Some(io_error) = error.downcast_ref() {
                return Some(io_error);
            }
            next = error.source();
        }
        None
    }

    /// Writes the report of Python's `handle_error` to stderr: a line of dashes, the client address,
    /// the error, and another line of dashes. The stage, the error and its causes replace Python's
    /// traceback. A [disconnect](Self::is_disconnect) is not reported.
    ///
    /// Never waits: a report that cannot be written at once, because the program at the other end of a pipe
    /// does not read or a terminal is stopped, is lost, and the next report states how many were. (Python
    /// waits.) So a hook that reports through this method cannot hold up the server; `eprintln!` can.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// struct Quiet;
    /// # struct Hello;
    /// # impl RequestHandler<TcpRequest> for Hello {
    /// #     fn handle(&mut self, _: &mut TcpRequest) -> Result {
    /// #         Err("no disk".into())
    /// #     }
    /// # }
    /// impl Service<TcpRequest> for Quiet {
    ///     type Handler = Hello;
    ///     fn request_handler(self: &std::sync::Arc<Self>) -> Hello {
    ///         Hello
    ///     }
    ///     fn handle_error(&self, request: &mut TcpRequest, error: &HandlerError) {
    ///         if !error.is_timeout() {
    ///             error.report(request.client_address()); // as the default does
    ///         }
    ///     }
    /// }
    /// # assert!(socketserver::testing::converse(Quiet, "").is_err());
    /// ```
    #[doc(alias = "traceback")]
    #[doc(alias = "print_exc")]
    pub fn report(&self, client_address: &impl Address) {
        if self.is_disconnect() {
            return;
        }
        let dashes = "-".repeat(40);
        let from = Escaped(client_address.to_python());
        let text = format!(
            "{dashes}\nException occurred during processing of request from {from}\n{self}\n{dashes}\n"
        );
        stderr::report(&text);
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(context) = &self.context {
            write!(f, "{context}\nduring handling of this error, ")?;
        }
        match &self.cause {
            Cause::Panic(message) => write!(f, "{} panicked: {}", self.stage, Escaped(message)),
            Cause::Error(error) => {
                write!(f, "{} failed: {}", self.stage, Escaped(error))?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, "\ncaused by: {}", Escaped(error))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disconnect::ClientGone;
    use crate::timeout::TimedOut;

    fn failed(error: impl Into<BoxError>) -> HandlerError {
        HandlerError::new(Stage::Handle, error.into())
    }

    #[test]
    fn a_disconnect_of_the_client_differs_from_other_errors() {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let gone = |connection| ClientGone::broken(DisconnectKind::Reset, reset(), connection);
        assert_eq!(
            failed(gone(None)).disconnect_kind(),
            Some(DisconnectKind::Reset)
        );
        let connection = |connection| {
            Some(ConnectionId {
                server: 1,
                connection,
            })
        };
        let other = gone(connection(2));
        assert_eq!(DisconnectKind::of(&other), Some(DisconnectKind::Reset));
        let mut other = failed(other);
        assert!(!other.is_disconnect(), "the request has no connection");
        other.set_connection(connection(3));
        assert!(!other.is_disconnect(), "the request has another connection");
        let mut own = failed(gone(connection(3))).with_context(failed(gone(connection(3))));
        own.set_connection(connection(3));
        assert!(own.is_disconnect());
        assert!(failed(ClientGone::mid_message()).is_disconnect());
        assert!(
            !failed(reset()).is_disconnect(),
            "an error of another connection"
        );
        let stopping = failed(ShuttingDown::error()).disconnect_kind();
        assert_eq!(stopping, Some(DisconnectKind::ServerStopping));
        assert!(failed(ShuttingDown::error()).is_shutting_down());
        assert!(!failed(io::Error::from(io::ErrorKind::UnexpectedEof)).is_disconnect());
        assert!(!failed("no").is_disconnect());
        let timeout = failed(io::Error::from(io::ErrorKind::TimedOut));
        assert!(timeout.is_timeout());
        assert_eq!(
            timeout.timeout_kind(),
            None,
            "a timeout of another connection"
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
    fn messages_are_escaped() {
        let hostile = "bad\n----\n\u{1b}[2J\u{202e}";
        let escaped = r"bad\n----\n\u{1b}[2J\u{202e}";
        let panic = HandlerError::catch::<()>(Stage::Handle, || panic!("{hostile}")).unwrap_err();
        assert_eq!(panic.panic_message(), Some(hostile));
        let cause = io::Error::other(ClientGone::broken(
            DisconnectKind::Reset,
            io::Error::other(hostile),
            None,
        ));
        let both = failed(cause).with_context(panic);
        assert_eq!(
            both.to_string(),
            format!(
                "handle panicked: {escaped}\nduring handling of this error, handle failed: {escaped}"
            )
        );
        assert_eq!(failed(hostile).error().unwrap().to_string(), hostile);
    }

    #[test]
    fn a_panic_is_caught_with_its_message() {
        let error = HandlerError::catch::<()>(Stage::Setup, || panic!("no {}", "way")).unwrap_err();
        assert_eq!(error.panic_message(), Some("no way"));
        assert_eq!(error.to_string(), "setup panicked: no way");
        let both = failed("second").with_context(error);
        assert_eq!(
            both.to_string(),
            "setup panicked: no way\nduring handling of this error, handle failed: second"
        );
    }
}
