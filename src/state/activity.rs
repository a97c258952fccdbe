//! The activity of a request.

use std::fmt;

/// The activity of a request.
///
/// See the [example](crate::ServerHandle::requests).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activity {
    /// The request has not started: for example, it waits for a thread.
    Queued,
    /// The handler runs and neither reads nor writes. Closing the connection does not end this.
    Running,
    /// The handler waits for bytes from the client.
    Reading,
    /// The handler, or a [`Sender`](crate::Sender), waits until the client reads.
    Writing,
    /// The handler has returned, and the server waits for the client to close its side
    /// ([`linger`](crate::ServerOptions::linger)), or for space to tell it the end (TLS).
    Lingering,
    /// The handler waits for the client's next message
    /// ([`wait_for_message`](crate::Request::wait_for_message)). A stop ends this.
    Idle,
    /// The connection is in its handshake.
    Handshaking,
}

impl Activity {
    /// Converts back from `activity as u8`.
    pub(super) fn from_u8(number: u8) -> Self {
        const ALL: [Activity; 7] = [
            Activity::Queued,
            Activity::Running,
            Activity::Reading,
            Activity::Writing,
            Activity::Lingering,
            Activity::Idle,
            Activity::Handshaking,
        ];
        ALL[usize::from(number) % ALL.len()]
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Reading => "reading",
            Self::Writing => "writing",
            Self::Lingering => "lingering",
            Self::Idle => "idle",
            Self::Handshaking => "handshaking",
        })
    }
}
