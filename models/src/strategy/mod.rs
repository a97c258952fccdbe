//! The real strategies with threads, and a stand-in for the trait, which leaves out what needs descriptors.

#[allow(dead_code)]
#[path = "../../../src/strategy/scheduling.rs"]
mod scheduling;
#[allow(dead_code)]
#[path = "../../../src/strategy/thread_pool.rs"]
pub(crate) mod thread_pool;
#[allow(dead_code)]
#[path = "../../../src/strategy/threading.rs"]
pub(crate) mod threading;
mod wait;
#[allow(dead_code)]
#[path = "../../../src/strategy/workers.rs"]
mod workers;

use std::io;
use std::time::Duration;

use crate::job::{Job, Rejected};

pub(crate) use self::scheduling::Scheduling;
pub(crate) use self::wait::{AcceptWait, Notifier, Ready};

pub(crate) trait Strategy: Send + Sync + 'static {
    fn process_request(&self, job: Job) -> Result<(), Rejected>;

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        wait.for_request()
    }

    fn server_close(&self, _timeout: Duration) {}

    #[allow(dead_code)]
    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::default()
    }
}
