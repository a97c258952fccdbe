//! What becomes of jobs.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Ran,
    /// Given back, with an error or without.
    Rejected {
        failed: bool,
    },
    /// Neither: lost.
    Dropped,
}

/// Keeps account of all jobs of a model.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<Entries>,
    changed: Condvar,
    /// Of the model checker, so that others can go on while a job runs.
    running: AtomicUsize,
}

#[derive(Default)]
struct Entries {
    begun: Vec<usize>,
    ended: Vec<(usize, Fate)>,
    most_running: usize,
    taken_in: usize,
    most_taken_in: usize,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more is taken in.
    pub(crate) fn take_in(&self) {
        let mut entries = self.lock();
        entries.taken_in += 1;
        let there = entries.taken_in - entries.ended.len();
        entries.most_taken_in = entries.most_taken_in.max(there);
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

    pub(crate) fn end(&self, job: usize, fate: Fate) {
        let mut entries = self.lock();
        let twice = entries.ended.iter().any(|(other, _)| *other == job);
        assert!(!twice, "job {job} ends twice");
        entries.ended.push((job, fate));
        drop(entries);
        self.changed.notify_all();
    }

    /// Waits until a job has begun to run. Whoever waits for one that never does is a deadlock.
    pub(crate) fn wait_for_start(&self, job: usize) {
        let mut entries = self.lock();
        while !entries.begun.contains(&job) {
            let waited = self.changed.wait(entries);
            entries = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until so many were taken in.
    pub(crate) fn wait_for_taken_in(&self, jobs: usize) {
        let mut entries = self.lock();
        while entries.taken_in < jobs {
            let waited = self.changed.wait(entries);
            entries = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How the jobs 0 to `jobs` ended, each of which has to have ended.
    pub(crate) fn fates(&self, jobs: usize) -> Vec<Fate> {
        let entries = self.lock();
        assert_eq!(entries.ended.len(), jobs, "{:?}", entries.ended);
        let fate = |job| entries.ended.iter().find(|(other, _)| *other == job);
        (0..jobs)
            .map(|job| fate(job).expect("every job ends").1)
            .collect()
    }

    /// The same, where all that can be is that they ran.
    pub(crate) fn assert_all_ran(&self, jobs: usize) {
        assert_eq!(self.fates(jobs), vec![Fate::Ran; jobs]);
    }

    /// The most that had been taken in, and had not ended, at the same time.
    pub(crate) fn most_taken_in(&self) -> usize {
        self.lock().most_taken_in
    }

    /// The most jobs that ran at the same time.
    pub(crate) fn most_running(&self) -> usize {
        self.lock().most_running
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Ledger")
    }
}

/// Shared by all that have to do with the jobs of a model.
pub(crate) type SharedLedger = Arc<Ledger>;
