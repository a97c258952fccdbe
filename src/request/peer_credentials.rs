//! The process and the user of a client of a Unix stream server.

use crate::sys;
use crate::sys::fd::BorrowedFd;

/// The process and the user that have connected to a Unix stream server:
/// [`ConnectionInfo::peer_credentials`](crate::ConnectionInfo::peer_credentials).
///
/// They come from the system, so a client cannot forge them. They are those of the moment when the client has
/// connected: the effective user, even if the process has changed its user since or has passed the connection
/// on.
///
/// On Linux, Android, macOS and the BSDs.
///
/// ```
/// # #[cfg(unix)]
/// # fn main() -> socketserver::Result {
/// use socketserver::{prelude::*, testing::converse};
///
/// let service = handler_fn(|request: &mut UnixStreamRequest| {
///     let client = request.connection_info().peer_credentials().ok_or("no credentials")?;
///     assert!(client.pid().is_none_or(|pid| pid == std::process::id()));
///     Ok(write!(request, "user {}, group {}", client.uid(), client.gid())?)
/// });
/// # let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
/// assert_eq!(converse(service, "")?, format!("user {uid}, group {gid}").into_bytes());
/// # Ok(())
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "ucred")]
#[doc(alias = "SO_PEERCRED")]
pub struct PeerCredentials {
    pid: Option<u32>,
    uid: u32,
    gid: u32,
}

impl PeerCredentials {
    /// Asks the system.
    pub(crate) fn of(socket: BorrowedFd<'_>) -> Option<Self> {
        let (pid, uid, gid) = sys::peer_credentials::peer_credentials(socket)?;
        Some(Self { pid, uid, gid })
    }

    /// The process that has connected: on Linux, Android and macOS, unless it is in another namespace, where
    /// this process cannot see it.
    ///
    /// For logs. The process can have ended, and another one can have its number now: do not admit a client
    /// by it.
    ///
    /// See the [example](Self).
    #[doc(alias = "LOCAL_PEERPID")]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// The user of the process. 0 is root.
    ///
    /// See the [example](Self).
    #[doc(alias = "euid")]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The main group of the process. Its user can belong to other groups too.
    ///
    /// See the [example](Self).
    #[doc(alias = "egid")]
    pub fn gid(&self) -> u32 {
        self.gid
    }
}
