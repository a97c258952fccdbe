//! Stand-in for the waker: the descriptors that a model's accept loop polls.

use std::io;

use crate::models::accept_fds::AcceptFds;
use crate::sys::close_on_fork::CloseOnFork;

#[derive(Debug)]
pub(crate) struct Waker(pub(crate) AcceptFds);

impl Waker {
    #[allow(clippy::unnecessary_wraps, reason = "the real function can fail")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(AcceptFds::default()))
    }

    pub(crate) fn close_on_fork(&self) -> CloseOnFork<2> {
        CloseOnFork
    }

    pub(crate) fn wake(&self) {
        self.0.wake();
    }

    pub(crate) fn drain(&self) {
        self.0.drain_wake_ups();
    }
}
