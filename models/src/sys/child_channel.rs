//! The models have no child processes, and no parent to send a stop request to.

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
    unreachable!("this is not a child process");
}
