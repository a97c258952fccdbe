//! In the place of the crate's `strategy`: the trait as far as the two strategies with threads have to do
//! with it, and what their accept loop waits with.

// Parts of the sources that no model uses.
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
use std::thread;
use std::time::Duration;

use crate::job::{Job, Rejected};
use crate::sys::wake::Bell;

#[allow(
    dead_code,
    reason = "implemented by the sources, not called by the models"
)]
pub(crate) trait Strategy: Send + Sync + 'static {
    fn process_request(&self, job: Job) -> Result<(), Rejected>;

    fn runs_in_place(&self, _in_own_loop: bool) -> bool {
        false
    }

    fn acceptors(&self, _kind: RequestKind) -> usize {
        0
    }

    fn acceptor_thread(&self) -> thread::Builder {
        thread::Builder::new()
    }

    fn wait(&self, wait: &Wait<'_>) -> io::Result<Ready> {
        wait.for_request()
    }

    fn drain(&self, _timeout: Duration) {}

    fn interrupt(&self) -> usize {
        0
    }

    fn server_close(&self, _grace: Duration) {}
}

#[allow(dead_code)]
pub(crate) enum RequestKind {
    Connection,
    Message,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    Request,
    Woken,
}

/// A wait of the accept loop, which only a request or a wake-up ends.
pub(crate) struct Wait<'a> {
    pub(crate) bell: &'a Bell,
    /// The listener is not looked at: there may be a request, for whoever has room for it.
    pub(crate) taken_in: bool,
    /// Whoever comes next is turned away, for which no room is needed.
    pub(crate) turning_away: bool,
}

impl Wait<'_> {
    #[allow(clippy::unnecessary_wraps, reason = "as the real one")]
    pub(crate) fn for_request(&self) -> io::Result<Ready> {
        if self.taken_in {
            return Ok(Ready::Request);
        }
        Ok(self.bell.wait(true))
    }

    #[allow(clippy::unnecessary_wraps, reason = "as the real one")]
    pub(crate) fn for_notification(&self) -> io::Result<Ready> {
        Ok(self.bell.wait(false))
    }

    pub(crate) fn in_own_loop(&self) -> bool {
        false
    }

    pub(crate) fn notifier(&self) -> Notifier {
        Notifier(self.bell.clone())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Notifier(Bell);

impl Notifier {
    pub(crate) fn notify(&self) {
        self.0.wake();
    }
}
