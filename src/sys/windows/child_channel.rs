//! Replaces the channel to forked children: there are none.

use std::time::Duration;

use crate::sys::fd::BorrowedFd;

/// Process in which a value was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OriginProcess;

impl OriginProcess {
    pub(crate) fn here() -> Self {
        Self
    }

    pub(crate) fn generation(self) -> u64 {
        1
    }

    /// Returns `true`, because every value was created in this process.
    pub(crate) fn is_current(self) -> bool {
        true
    }
}

/// Request of a child to stop a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopRequest {
    pub(crate) server: u64,
    pub(crate) run: u64,
}

pub(crate) fn send_stop_request(_stop_request: StopRequest) {}

/// Returns `None`, because this process is not a child.
pub(crate) fn close_notice() -> Option<BorrowedFd<'static>> {
    None
}

pub(crate) fn wait_for_close(_timeout: Option<Duration>) -> bool {
    false
}
