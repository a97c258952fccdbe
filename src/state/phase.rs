//! The phases of a server's life.

use std::fmt;

/// The phase of a server's life, from [`ServerHandle::phase`](crate::ServerHandle::phase).
///
/// | phase | new clients | running requests | ends |
/// | --- | --- | --- | --- |
/// | `Bound` | wait in the backlog | continue | when the server begins to serve, or is closed |
/// | `Serving` | are accepted | run | when a stop is requested |
/// | `LameDuck` | are accepted | run | when [`lame_duck`](crate::Server::lame_duck) expires |
/// | `Draining` | in the backlog: are [served or rejected](crate::Server::backlog_policy); later ones are rejected by the system | continue | when no request is left, or the [grace period](crate::Server::grace_period) expires |
/// | `Closing` | are rejected by the system | are force-closed | when no request is left, or [`force_close_timeout`](crate::Server::force_close_timeout) expires |
/// | `Stopped` | are rejected by the system | have ended or were abandoned | |
///
/// See the [example](crate::ServerHandle::phase).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The server does not serve: not yet, no longer, or between two calls.
    Bound,
    /// The server accepts clients.
    Serving,
    /// A stop was requested. The server continues to serve for a while, so that a load balancer can notice.
    LameDuck,
    /// The server accepts no new clients and waits for running requests.
    Draining,
    /// The grace period has expired. Connections are force-closed, so that handlers that wait for their
    /// clients end.
    Closing,
    /// The server is closed.
    Stopped,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bound => "bound",
            Self::Serving => "serving",
            Self::LameDuck => "lame duck",
            Self::Draining => "draining",
            Self::Closing => "closing",
            Self::Stopped => "stopped",
        })
    }
}
