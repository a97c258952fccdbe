//! Policies for clients beyond the limits of a server.

use std::time::{Duration, Instant};

use crate::state::counters::RejectionReason;

/// How a server rejects a client: without a handler, and without calling
/// [`verify_request`](crate::Service::verify_request). Rejected clients are counted in
/// [`Stats::rejected_by`](crate::Stats::rejected_by).
///
/// | rejection | the client | good where |
/// | --- | --- | --- |
/// | [`Message`](Self::Message) | reads these bytes, then the end of the stream | the protocol has an answer for overload: `503`, `421` |
/// | [`Close`](Self::Close) | reads the end of the stream | clients try again by themselves |
/// | [`Reset`](Self::Reset) | gets an error | there are too many clients for an orderly close, as in an attack |
///
/// See the [example](Self::message).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// Sends these bytes, as far as that works without waiting, and closes in order.
    Message(Vec<u8>),
    /// Closes in order.
    Close,
    /// Resets the connection: the client's next read or write fails with
    /// [`ConnectionReset`](std::io::ErrorKind::ConnectionReset), and the kernel keeps no state of the
    /// connection. Unix sockets have no reset and are closed.
    Reset,
}

/// The decision about the next connection.
#[derive(Debug)]
pub(crate) enum Admission {
    /// The connection is accepted.
    Admit,
    /// The connection waits in the backlog, until a place becomes free or for this long at most.
    Wait(Option<Duration>),
    /// The connection is accepted and rejected.
    Reject(RejectionReason),
}

impl Rejection {
    /// A rejection that sends `message` first.
    ///
    /// ```
    /// use socketserver::Rejection;
    ///
    /// let busy = Rejection::message("421 too busy\r\n");
    /// assert_eq!(busy, Rejection::Message(b"421 too busy\r\n".to_vec()));
    /// ```
    pub fn message(message: impl Into<Vec<u8>>) -> Self {
        Self::Message(message.into())
    }
}

/// The policy of a server while one of its limits is reached:
/// [`max_connections`](crate::ServerOptions::max_connections),
/// [`accept_rate`](crate::ServerOptions::accept_rate).
///
/// A [`Rejection`] converts into [`Reject`](Self::Reject).
///
/// ```
/// use socketserver::prelude::*;
/// use std::time::Duration;
///
/// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
/// let server = ThreadingTcpServer::options()
///     .max_connections(500)
///     .at_max_connections(OverloadPolicy::WaitAtMost(Duration::from_secs(2)))
///     .bind("127.0.0.1:0", service)?
///     .spawn()?;
/// let client = std::net::TcpStream::connect(server.server_address())?;
/// assert_eq!(std::io::read_to_string(client)?, "hi");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverloadPolicy {
    /// Accepts no more connections until there is capacity. Clients wait in the backlog
    /// ([`request_queue_size`](crate::ServerOptions::request_queue_size)) and are connected meanwhile.
    /// Good where clients are patient and overload is short.
    Wait,
    /// Waits like [`Wait`](Self::Wait), but once the limit has been reached for this long without a
    /// break, connections are accepted and closed in order until there is capacity. Good where another
    /// server can take the clients. Zero is [`Rejection::Close`].
    WaitAtMost(Duration),
    /// Accepts, and rejects at once.
    Reject(Rejection),
}

impl From<Rejection> for OverloadPolicy {
    fn from(rejection: Rejection) -> Self {
        Self::Reject(rejection)
    }
}

impl OverloadPolicy {
    /// The rejection of clients, once this policy rejects them.
    pub(super) fn rejection(&self) -> Rejection {
        match self {
            Self::Reject(rejection) => rejection.clone(),
            Self::Wait | Self::WaitAtMost(_) => Rejection::Close,
        }
    }

    /// The admission of the next client, where the limit was reached at `since` and ever after.
    pub(super) fn admission(
        &self,
        reason: RejectionReason,
        since: Instant,
        now: Instant,
    ) -> Admission {
        match self {
            Self::Wait => Admission::Wait(None),
            Self::WaitAtMost(time) => match since.checked_add(*time) {
                None => Admission::Wait(None),
                Some(end) if end > now => Admission::Wait(Some(end - now)),
                Some(_) => Admission::Reject(reason),
            },
            Self::Reject(_) => Admission::Reject(reason),
        }
    }
}
