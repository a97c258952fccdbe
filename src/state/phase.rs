//! The phases of a server's life.

use std::fmt;

/// Where a server is in its life; from [`ServerHandle::phase`](crate::ServerHandle::phase).
///
/// | phase | new clients | running requests | it ends |
/// | --- | --- | --- | --- |
/// | `Bound` | wait in the kernel's queue | go on | when somebody serves, or closes |
/// | `Serving` | are taken in | run | by a stop |
/// | `LameDuck` | are taken in | run | when [`lame_duck`](crate::Server::lame_duck) is over |
/// | `Draining` | those in the queue are [served or rejected](crate::Server::backlog_policy), others rejected by the system | go on | when none is left, or the [grace period](crate::Server::grace_period) is over |
/// | `Closing` | are rejected by the system | are cut off | when none is left, or after [`force_close_timeout`](crate::Server::force_close_timeout) |
/// | `Stopped` | are rejected by the system | were abandoned, if there are any | |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// It does not serve: not yet, not any more, or not right now.
    Bound,
    /// It serves.
    Serving,
    /// A stop was asked for. It serves on for a while, so that whoever sends clients here can notice.
    LameDuck,
    /// It takes in nobody new, and waits for running requests.
    Draining,
    /// The grace period is over: connections are cut, so that handlers that wait for their clients end.
    Closing,
    /// It is closed.
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
