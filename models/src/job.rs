//! Stand-in for jobs: a closure, and the record of what becomes of it.

use std::fmt;

use crate::error::BoxError;
use crate::models::ledger::{Outcome, SharedLedger};

pub(crate) struct Job {
    number: usize,
    ledger: SharedLedger,
    /// `None` once it has run or was rejected.
    work: Option<Box<dyn FnOnce() + Send>>,
}

impl Job {
    pub(crate) fn new(
        number: usize,
        ledger: &SharedLedger,
        work: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self {
            number,
            ledger: SharedLedger::clone(ledger),
            work: Some(Box::new(work)),
        }
    }

    pub(crate) fn run(mut self) {
        let work = self.work.take().expect("the job has not run");
        self.ledger.begin(self.number);
        work();
        self.ledger.finish();
        self.ledger.end(self.number, Outcome::Ran);
    }

    pub(crate) fn reject(self, error: Option<BoxError>) -> Rejected {
        Rejected {
            job: self,
            failed: error.is_some(),
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.work.take().is_some() && !std::thread::panicking() {
            self.ledger.end(self.number, Outcome::Dropped);
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job {}", self.number)
    }
}

#[derive(Debug)]
pub(crate) struct Rejected {
    job: Job,
    failed: bool,
}

impl Rejected {
    pub(crate) fn close(mut self) {
        self.job.work = None;
        let failed = self.failed;
        self.job
            .ledger
            .end(self.job.number, Outcome::Rejected { failed });
    }
}
