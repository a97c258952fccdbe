//! Stand-in for the crate's `strategy`: the trait, and the wait of an accept loop. The strategies with threads
//! are the real sources.

#[allow(dead_code)]
#[path = "../../../src/strategy/scheduling.rs"]
pub(crate) mod scheduling;
#[allow(dead_code)]
#[path = "../../../src/strategy/thread_pool.rs"]
pub(crate) mod thread_pool;
#[allow(dead_code)]
#[path = "../../../src/strategy/threading.rs"]
pub(crate) mod threading;
#[allow(dead_code)]
#[path = "../../../src/strategy/workers.rs"]
mod workers;

use std::io;
use std::time::Duration;

use crate::job::{Job, Rejected};
use crate::sys::waker::AcceptFds;

pub(crate) use self::scheduling::Scheduling;

#[allow(
    dead_code,
    reason = "implemented by the sources, not called by the models"
)]
pub(crate) trait Strategy: Send + Sync + 'static {
    fn process_request(&self, job: Job) -> Result<(), Rejected>;

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        wait.for_request()
    }

    fn server_close(&self, _timeout: Duration) {}

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    Request,
    Woken,
}

/// A wait of the accept loop, which only a request or a wake-up ends.
pub(crate) struct AcceptWait<'a> {
    pub(crate) fds: &'a AcceptFds,
    /// The listener is not polled: there may be a request.
    pub(crate) already_received: bool,
    /// The next request is rejected, which needs no capacity.
    pub(crate) rejecting: bool,
}

impl AcceptWait<'_> {
    #[allow(clippy::unnecessary_wraps, reason = "as in the crate")]
    pub(crate) fn for_request(&self) -> io::Result<Ready> {
        if self.already_received {
            return Ok(Ready::Request);
        }
        Ok(self.fds.wait(true))
    }

    #[allow(clippy::unnecessary_wraps, reason = "as in the crate")]
    pub(crate) fn for_notification(&self) -> io::Result<Ready> {
        Ok(self.fds.wait(false))
    }

    pub(crate) fn in_worker_loop(&self) -> bool {
        false
    }

    pub(crate) fn notifier(&self) -> Notifier {
        Notifier(self.fds.clone())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Notifier(AcceptFds);

impl Notifier {
    pub(crate) fn notify(&self) {
        self.0.wake();
    }
}
