//! Models of `Threading`: how jobs are handed over to idle threads.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::accept_loop::{AcceptLoop, nothing};
use crate::ledger::Outcome;
use crate::strategy::Strategy;
use crate::strategy::threading::Threading;
use crate::{FOREVER, SOME_TIME};

fn serve_all(max_threads: usize, keep_alive: Duration, clients: usize) {
    thread::limit(None);
    let strategy = Threading::new()
        .max_threads(max_threads)
        .keep_alive(keep_alive);
    let accept_loop = AcceptLoop::new(strategy, nothing);
    let arrivals = accept_loop.connect(clients);
    assert_eq!(accept_loop.serve(clients), clients);
    accept_loop.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    accept_loop.ledger.assert_all_ran(clients);
    assert!(accept_loop.ledger.most_running() <= max_threads);
}

/// The keep-alive time of a thread may expire at any moment, also while the thread is handed a job: each job
/// runs once, and the accept loop never waits while a thread is free.
pub fn every_job_runs_once() {
    serve_all(2, SOME_TIME, 5);
}

/// Only the next job or the close ends the wait of an idle thread.
pub fn idle_threads_get_every_job() {
    serve_all(2, FOREVER, 5);
}

/// As in Python: no thread waits for a second job.
pub fn a_thread_for_each() {
    serve_all(2, Duration::ZERO, 4);
}

pub fn one_at_a_time() {
    serve_all(1, SOME_TIME, 4);
}

/// The hand-over alone, small enough for an exhaustive search: the second job is submitted while the first
/// thread is running, waiting or has just timed out.
pub fn a_job_is_handed_over() {
    thread::limit(None);
    let strategy = Threading::new().max_threads(1).keep_alive(SOME_TIME);
    let accept_loop = AcceptLoop::new(strategy, |_, _| {});
    accept_loop.process(0);
    accept_loop.process(1);
    accept_loop.strategy.server_close(FOREVER);
    accept_loop.ledger.assert_all_ran(2);
}

/// Some handlers wait for the next client's handler to begin. A job that is handed to a busy thread would be a
/// deadlock.
pub fn no_job_waits_behind_a_handler() {
    thread::limit(None);
    let strategy = Threading::new().max_threads(2).keep_alive(SOME_TIME);
    let accept_loop = AcceptLoop::new(strategy, |client, ledger| {
        if client % 2 == 0 {
            ledger.wait_for_start(client + 1);
        }
    });
    let arrivals = accept_loop.connect(6);
    accept_loop.serve(6);
    accept_loop.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    accept_loop.ledger.assert_all_ran(6);
    assert!(accept_loop.ledger.most_running() <= 2);
}

fn close_while_jobs_come(keep_alive: Duration, jobs: usize) {
    thread::limit(None);
    let strategy = Threading::new().keep_alive(keep_alive);
    let accept_loop = Arc::new(AcceptLoop::new(strategy, nothing));
    let closing = Arc::clone(&accept_loop);
    let closer = thread::spawn(move || closing.strategy.server_close(FOREVER));
    for client in 0..jobs {
        accept_loop.process(client);
    }
    closer.join().expect("it is closed");
    accept_loop.strategy.server_close(FOREVER);
    accept_loop.ledger.assert_all_ran(jobs);
}

/// The server is closed while jobs are submitted. Jobs submitted after the close get threads of their own.
pub fn closing_loses_no_job() {
    close_while_jobs_come(SOME_TIME, 4);
}

/// A thread that the close does not wake would wait forever.
pub fn closing_ends_all_threads() {
    close_while_jobs_come(FOREVER, 4);
}

/// Variant with one job, small enough for an exhaustive search: its thread is running, becoming idle or idle.
pub fn closing_ends_the_last_thread() {
    close_while_jobs_come(FOREVER, 1);
}

/// No second thread can be started: jobs that the first does not take are rejected with the error.
pub fn without_a_thread_jobs_are_rejected() {
    thread::limit(Some(1));
    let accept_loop = AcceptLoop::new(Threading::new().keep_alive(SOME_TIME), nothing);
    (0..3).for_each(|client| accept_loop.process(client));
    accept_loop.strategy.server_close(FOREVER);
    let outcomes = accept_loop.ledger.outcomes(3);
    assert_eq!(outcomes[0], Outcome::Ran);
    let fair = [Outcome::Ran, Outcome::Rejected { failed: true }];
    assert!(outcomes.iter().all(|outcome| fair.contains(outcome)));
    assert_eq!(accept_loop.ledger.most_running(), 1);
}
