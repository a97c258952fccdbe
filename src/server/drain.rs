//! The end: waiting for running requests, and cutting off those that take too long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ServerHandle;
use super::core::Core;
use super::current;
use crate::strategy::Strategy;

/// How long a request whose connection was cut may take to notice, and a thread to end.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// What closing a server had to do to the requests that were still running.
///
/// [`RunningServer::stop`](crate::RunningServer::stop) includes those that kept the loop from leaving;
/// for [`Server::server_close`](crate::Server::server_close) the loop has left before, and what was
/// cut then is in [`Stats::interrupted`](crate::Stats::interrupted).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// Requests that were running, or waiting for a thread, when the server was closed.
    pub running: usize,
    /// Connections that were cut, and child processes that were told to end, when the grace period was
    /// over.
    pub interrupted: usize,
    /// Requests that did not even end then, because their handlers neither read nor write. They
    /// go on until the program ends. (A child process is killed.)
    pub abandoned: usize,
}

/// The strategy of a server, together with the duty to see its requests to their end.
pub(super) struct DrainOnDrop<M: Strategy> {
    /// `None` once that is done, or has become somebody else's duty.
    core: Option<Arc<Core>>,
    /// Shared with the accept loops, some of whose threads may outlive the server.
    pub(super) strategy: Arc<M>,
    pub(super) block_on_close: bool,
}

impl<M: Strategy> DrainOnDrop<M> {
    pub(super) fn new(handle: &ServerHandle, strategy: M) -> Self {
        Self {
            core: Some(Arc::clone(&handle.0)),
            strategy: Arc::new(strategy),
            block_on_close: true,
        }
    }

    /// The same duty with another strategy.
    pub(super) fn with<N: Strategy>(mut self, strategy: N) -> DrainOnDrop<N> {
        // It may have served before; what it has begun goes on by itself.
        self.strategy.server_close(Duration::ZERO);
        DrainOnDrop {
            core: self.core.take(),
            strategy: Arc::new(strategy),
            block_on_close: self.block_on_close,
        }
    }

    pub(super) fn drain(&mut self) -> DrainReport {
        let Some(core) = self.core.take() else {
            return DrainReport::default();
        };
        // In a forked child, all that is to be waited for is in its parent.
        if core.is_copy() {
            return DrainReport::default();
        }
        core.begin_closing();
        // Whatever has ended without anybody looking does not count as running.
        self.strategy.drain(Duration::ZERO);
        let cut = core.connections.cut();
        let mut report = DrainReport {
            running: core.active(),
            ..DrainReport::default()
        };
        // A handler that closes its own server must not wait for itself.
        if self.block_on_close && !current::is_busy_for(&core) {
            if !self.wait(&core, core.grace()) {
                core.connections.interrupt();
                report.interrupted = self.strategy.interrupt();
                self.wait(&core, LAST_WORDS);
            }
            report.abandoned = core.active();
        }
        report.interrupted += core.connections.cut() - cut;
        // Threads that still run a request are not waited for a second time.
        let grace = if core.active() == 0 {
            LAST_WORDS
        } else {
            Duration::ZERO
        };
        self.strategy.server_close(grace);
        report
    }

    /// Waits until no request is running, at most `timeout`. Returns whether it came to that.
    fn wait(&self, core: &Core, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        self.strategy.drain(timeout);
        core.wait_until_idle(deadline)
    }
}

impl<M: Strategy> Drop for DrainOnDrop<M> {
    fn drop(&mut self) {
        self.drain();
    }
}
