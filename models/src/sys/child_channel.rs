//! Stand-in for stop requests of child processes. A model has no child processes.

use std::time::Duration;

#[derive(Clone, Copy)]
pub(crate) struct OriginProcess;

impl OriginProcess {
    pub(crate) fn here() -> Self {
        Self
    }

    pub(crate) fn generation(self) -> u64 {
        0
    }

    pub(crate) fn is_current(self) -> bool {
        true
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StopRequest {
    pub(crate) server: u64,
    pub(crate) run: u64,
}

pub(crate) fn send_stop_request(_stop_request: StopRequest) {
    unreachable!("a model has no child processes");
}

pub(crate) fn wait_for_close(_timeout: Option<Duration>) -> bool {
    unreachable!("a model has no child processes");
}
