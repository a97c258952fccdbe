//! What happens to connections in the backlog when the server closes.

use crate::state::Rejection;

/// What a server does about connections in the backlog when it is closed: clients that have connected
/// and have not been accepted. See [`Server::backlog_policy`](crate::Server::backlog_policy).
///
/// See the [example](crate::Server::backlog_policy).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BacklogPolicy {
    /// Accepts and serves them until the [grace period](crate::Server::grace_period) expires. Accepts
    /// the remaining ones and closes them in order ([`Rejection::Close`]).
    Serve,
    /// Accepts and rejects them.
    Reject(Rejection),
    /// Leaves them in the backlog. The kernel resets them, unless another process has the listening
    /// socket too. With the other policies, the close ends new connections for that process, too: a
    /// program that forks to become a daemon ends the first process by
    /// [`exit`](std::process::exit), which does not close the server.
    Leave,
}
