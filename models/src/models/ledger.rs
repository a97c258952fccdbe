//! The record of all jobs of a model.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The way in which a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ran,
    /// The strategy returned the job, with an error if `failed`.
    Rejected {
        failed: bool,
    },
    /// The job was lost.
    Dropped,
}

#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<Entries>,
    changed: Condvar,
    /// Number of running jobs. An atomic of the model checker, so that other threads can run during a job.
    running: AtomicUsize,
}

/// Shared by all threads of a model.
pub(crate) type SharedLedger = Arc<Ledger>;

#[derive(Default)]
struct Entries {
    begun: Vec<usize>,
    ended: Vec<(usize, Outcome)>,
    accepted: usize,
    max_running: usize,
    max_active: usize,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that one more client was accepted.
    pub(crate) fn accept(&self) {
        let mut entries = self.lock();
        entries.accepted += 1;
        let active = entries.accepted - entries.ended.len();
        entries.max_active = entries.max_active.max(active);
        drop(entries);
        self.changed.notify_all();
    }

    /// Records that a job begins to run. Panics if it has begun before.
    pub(crate) fn begin(&self, job: usize) {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        let mut entries = self.lock();
        assert!(!entries.begun.contains(&job), "job {job} runs twice");
        entries.begun.push(job);
        entries.max_running = entries.max_running.max(running);
        drop(entries);
        self.changed.notify_all();
    }

    /// Records that a job no longer runs.
    pub(crate) fn finish(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    /// Records the outcome of a job. Panics if it has one already.
    pub(crate) fn end(&self, job: usize, outcome: Outcome) {
        let mut entries = self.lock();
        let has_ended = entries.ended.iter().any(|(other, _)| *other == job);
        assert!(!has_ended, "job {job} ends twice");
        entries.ended.push((job, outcome));
        drop(entries);
        self.changed.notify_all();
    }

    /// Waits until a job has begun to run. If it never does, the model checker reports a deadlock.
    pub(crate) fn wait_until_begun(&self, job: usize) {
        let mut entries = self.lock();
        while !entries.begun.contains(&job) {
            let waited = self.changed.wait(entries);
            entries = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until this number of clients were accepted.
    pub(crate) fn wait_until_accepted(&self, clients: usize) {
        let mut entries = self.lock();
        while entries.accepted < clients {
            let waited = self.changed.wait(entries);
            entries = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns the outcomes of the jobs 0 to `jobs`. Panics if these are not exactly the ended jobs.
    pub(crate) fn outcomes(&self, jobs: usize) -> Vec<Outcome> {
        let entries = self.lock();
        assert_eq!(entries.ended.len(), jobs, "{:?}", entries.ended);
        let outcome = |job| entries.ended.iter().find(|(other, _)| *other == job);
        (0..jobs)
            .map(|job| outcome(job).expect("every job ends").1)
            .collect()
    }

    /// Asserts that exactly the jobs 0 to `jobs` have ended, and that all of them ran.
    pub(crate) fn assert_all_ran(&self, jobs: usize) {
        assert_eq!(self.outcomes(jobs), vec![Outcome::Ran; jobs]);
    }

    /// Returns the maximum number of clients that were accepted and had not ended.
    pub(crate) fn max_active(&self) -> usize {
        self.lock().max_active
    }

    /// Returns the maximum number of jobs that ran at the same time.
    pub(crate) fn max_running(&self) -> usize {
        self.lock().max_running
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Ledger")
    }
}
