//! Snapshots of a server's counters.

/// A snapshot of a server's counters, from [`ServerHandle::stats`](crate::ServerHandle::stats).
///
/// Every accepted request is counted in `accepted`. Until it ends, it is `active`. When it has ended, it is
/// counted in exactly one of `completed`, `failed`, `disconnected`, `force_closed`, `rejected` and
/// `dropped`.
///
/// See the [example](crate::Server::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Accepted requests: connections and datagrams, including rejected ones.
    pub accepted: u64,
    /// Requests whose handler returned `Ok`.
    pub completed: u64,
    /// Requests whose handler returned an error or panicked, or whose child process crashed. Disconnects do
    /// not count here.
    pub failed: u64,
    /// Requests whose handler returned an error because the client, or the way to it, was gone:
    /// [`DisconnectKind`](crate::DisconnectKind). A client that leaves without such an error, for example
    /// after its answer, does not count here.
    pub disconnected: u64,
    /// Requests whose connection the server force-closed to stop, whatever their handlers returned. Also
    /// requests whose child process was ended by SIGTERM, SIGINT or SIGHUP, or killed by the server.
    pub force_closed: u64,
    /// Requests rejected without a handler. [`rejected_by`](Self::rejected_by) counts the reasons.
    pub rejected: u64,
    /// Requests that a strategy dropped, which closed their connections without a message. Also requests
    /// served by a child process whose exit status other code reaped.
    pub dropped: u64,
    /// Requests that are running or queued at the time of the snapshot: `accepted` minus the six above.
    pub active: u64,
    /// Reasons of rejections. The sum is `rejected`.
    pub rejected_by: RejectionCounts,
    /// Expired timeouts of reads and writes.
    pub timeouts: TimeoutCounts,
    /// Errors of the listening socket.
    pub accept_errors: AcceptErrorCounts,
    /// Connections that ended before their handlers ran, by reason. The sum is `rejected_by.handshake`.
    pub handshake_errors: HandshakeErrorCounts,
    /// Bytes received from clients, except by child processes.
    pub bytes_received: u64,
    /// Bytes sent to clients, except by child processes.
    pub bytes_sent: u64,
    /// How often a handler has occupied a worker of [`Coroutines`](crate::Coroutines) for more than 10 ms
    /// without reading or writing. The other clients of that worker wait meanwhile.
    pub worker_stalls: u64,
}

/// Numbers of rejected requests by reason; a part of [`Stats`].
///
/// ```
/// use socketserver::prelude::*;
///
/// struct Closed;
/// # struct Hello;
/// # impl RequestHandler<TcpRequest> for Hello {
/// #     fn handle(&mut self, _: &mut TcpRequest) -> Result {
/// #         Ok(())
/// #     }
/// # }
/// impl Service<TcpRequest> for Closed {
///     type Handler = Hello;
///     fn request_handler(self: &std::sync::Arc<Self>) -> Hello {
///         Hello
///     }
///     fn verify_request(&self, _: &TcpRequest) -> bool {
///         false
///     }
/// }
///
/// let server = TcpServer::bind("127.0.0.1:0", Closed)?.spawn()?;
/// let client = std::net::TcpStream::connect(server.server_address())?;
/// assert_eq!(std::io::read_to_string(client)?, "");
/// let handle = server.handle();
/// server.stop()?;
/// assert_eq!(handle.stats().rejected_by.verify_request, 1);
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectionCounts {
    /// [`verify_request`](crate::Service::verify_request) returned `false`.
    pub verify_request: u64,
    /// The [strategy](crate::Strategy) rejected the request: [`Job::reject`](crate::Job::reject).
    pub strategy: u64,
    /// [`max_connections`](crate::ServerOptions::max_connections) was reached.
    pub max_connections: u64,
    /// [`max_per_client`](crate::ServerOptions::max_per_client) was reached.
    pub max_per_client: u64,
    /// [`accept_rate`](crate::ServerOptions::accept_rate) was exceeded.
    pub accept_rate: u64,
    /// The [`access_list`](crate::ServerOptions::access_list) denied the address of the client. Datagrams of
    /// denied clients count too.
    pub access_list: u64,
    /// The process had no free descriptor for longer than clients wait for one, or the client had taken long for its
    /// handshake when there was none.
    pub descriptors: u64,
    /// The handshake failed: [`handshake_errors`](Stats::handshake_errors) counts the reasons.
    pub handshake: u64,
    /// The connection, or the datagram, was in the backlog when the server was closed; or the client had sent
    /// nothing yet of a handshake when the stop began.
    pub closing: u64,
}

/// Numbers of expired timeouts of reads and writes; a part of [`Stats`].
///
/// Reads and writes are counted, not requests: if a handler tries again and the timeout expires again, both
/// count. Only `request` is counted once per request. Timeouts in child processes are not counted.
///
/// ```
/// use socketserver::{prelude::*, testing::TestServer};
/// use std::time::Duration;
///
/// let service = handler_fn(|request: &mut TcpRequest| {
///     let late = request.recv(100).is_err(); // the client sends nothing
///     Ok(write!(request, "late: {late}")?)
/// });
/// let server = TcpServer::options().first_byte_timeout(Duration::from_millis(10));
/// let server = TestServer::start(server.bind("127.0.0.1:0", service)?);
/// assert_eq!(server.client().rest()?, b"late: true");
/// assert_eq!(server.stats().timeouts.first_byte, 1);
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeoutCounts {
    /// [`TimeoutKind::Read`](crate::TimeoutKind::Read).
    pub read: u64,
    /// [`TimeoutKind::Write`](crate::TimeoutKind::Write).
    pub write: u64,
    /// [`TimeoutKind::FirstByte`](crate::TimeoutKind::FirstByte).
    pub first_byte: u64,
    /// [`TimeoutKind::Idle`](crate::TimeoutKind::Idle).
    pub idle: u64,
    /// [`TimeoutKind::Request`](crate::TimeoutKind::Request).
    pub request: u64,
}

/// Numbers of errors of the listening socket by kind; a part of [`Stats`].
///
/// See the [example](Self::total).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptErrorCounts {
    /// [`AcceptErrorKind::Retry`](crate::AcceptErrorKind::Retry).
    pub retried: u64,
    /// [`AcceptErrorKind::BackOff`](crate::AcceptErrorKind::BackOff).
    pub backed_off: u64,
    /// [`AcceptErrorKind::Fatal`](crate::AcceptErrorKind::Fatal).
    pub fatal: u64,
}

impl AcceptErrorCounts {
    /// Number of errors of all kinds.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?;
    /// assert_eq!(server.stats().accept_errors.total(), 0);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn total(&self) -> u64 {
        self.retried + self.backed_off + self.fatal
    }
}

impl Stats {
    /// Number of requests that have ended.
    pub(crate) fn ended(&self) -> u64 {
        let by_themselves = self.completed + self.failed + self.disconnected;
        by_themselves + self.force_closed + self.rejected + self.dropped
    }
}

impl RejectionCounts {
    pub(super) fn total(&self) -> u64 {
        let limits = self.max_connections + self.max_per_client + self.accept_rate;
        let limits = limits + self.access_list;
        let others = self.verify_request + self.strategy + self.descriptors;
        others + limits + self.handshake + self.closing
    }
}

/// Numbers of failed handshakes by reason, the kinds of [`HandshakeError`](crate::HandshakeError); a part of
/// [`Stats`].
///
/// ```
/// use socketserver::prelude::*;
///
/// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
/// let server = TcpServer::bind("127.0.0.1:0", service)?;
/// assert_eq!(server.stats().handshake_errors.timed_out, 0); // plain TCP has no handshake
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeErrorCounts {
    /// [`HandshakeErrorKind::TimedOut`](crate::HandshakeErrorKind::TimedOut).
    pub timed_out: u64,
    /// [`HandshakeErrorKind::Disconnected`](crate::HandshakeErrorKind::Disconnected).
    pub disconnected: u64,
    /// [`HandshakeErrorKind::ProxyHeader`](crate::HandshakeErrorKind::ProxyHeader).
    pub proxy_header: u64,
    /// [`HandshakeErrorKind::NotTls`](crate::HandshakeErrorKind::NotTls).
    pub not_tls: u64,
    /// [`HandshakeErrorKind::Incompatible`](crate::HandshakeErrorKind::Incompatible).
    pub incompatible: u64,
    /// [`HandshakeErrorKind::ClientCertificate`](crate::HandshakeErrorKind::ClientCertificate).
    pub client_certificate: u64,
    /// [`HandshakeErrorKind::Alert`](crate::HandshakeErrorKind::Alert).
    pub alert: u64,
    /// [`HandshakeErrorKind::Other`](crate::HandshakeErrorKind::Other).
    pub other: u64,
}
