//! The record of all jobs of a model.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ran,
    /// Returned, with an error or without.
    Rejected {
        failed: bool,
    },
    /// Lost.
    Dropped,
}

/// Begin and end of each job.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<Entries>,
    changed: Condvar,
    /// An atomic of the model checker, so that other threads can run while a job does.
    running: AtomicUsize,
}

#[derive(Default)]
struct Entries {
    begun: Vec<usize>,
    ended: Vec<(usize, Outcome)>,
    most_running: usize,
    accepted: usize,
    most_accepted: usize,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the accept loop took one more request.
    pub(crate) fn accept(&self) {
        let mut entries = self.lock();
        entries.accepted += 1;
        let present = entries.accepted - entries.ended.len();
        entries.most_accepted = entries.most_accepted.max(present);
        drop(entries);
        self.changed.notify_all();
    }

    pub(crate) fn begin(&self, job: usize) {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        let mut entries = self.lock();
        assert!(!entries.begun.contains(&job), "job {job} runs twice");
        entries.begun.push(job);
        entries.most_running = entries.most_running.max(running);
        drop(entries);
        self.changed.notify_all();
    }

    pub(crate) fn finish(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn end(&self, job: usize, outcome: Outcome) {
        let mut entries = self.lock();
        let twice = entries.ended.iter().any(|(other, _)| *other == job);
        assert!(!twice, "job {job} ends twice");
        entries.ended.push((job, outcome));
        drop(entries);
        self.changed.notify_all();
    }

    /// Waits until a job has begun to run. If it never does, this is a deadlock.
    pub(crate) fn wait_for_start(&self, job: usize) {
        let mut entries = self.lock();
        while !entries.begun.contains(&job) {
            let waited = self.changed.wait(entries);
            entries = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until this many requests were accepted.
    pub(crate) fn wait_for_accepted(&self, jobs: usize) {
        let mut entries = self.lock();
        while entries.accepted < jobs {
            let waited = self.changed.wait(entries);
            entries = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns how the jobs 0 to `jobs` ended. Each must have ended.
    pub(crate) fn outcomes(&self, jobs: usize) -> Vec<Outcome> {
        let entries = self.lock();
        assert_eq!(entries.ended.len(), jobs, "{:?}", entries.ended);
        let outcome = |job| entries.ended.iter().find(|(other, _)| *other == job);
        (0..jobs)
            .map(|job| outcome(job).expect("every job ends").1)
            .collect()
    }

    /// Asserts that the jobs 0 to `jobs` ran.
    pub(crate) fn assert_all_ran(&self, jobs: usize) {
        assert_eq!(self.outcomes(jobs), vec![Outcome::Ran; jobs]);
    }

    /// Returns the highest number of accepted requests that had not ended.
    pub(crate) fn most_accepted(&self) -> usize {
        self.lock().most_accepted
    }

    /// Returns the highest number of jobs that ran at the same time.
    pub(crate) fn most_running(&self) -> usize {
        self.lock().most_running
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Ledger")
    }
}

/// Shared by the accept loop, the jobs and the model.
pub(crate) type SharedLedger = Arc<Ledger>;
