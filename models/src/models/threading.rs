//! Models of `Threading`: its idle threads, and the slots in which they get jobs.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::models::acceptor::{Acceptor, do_nothing};
use crate::models::ledger::Outcome;
use crate::models::{FOREVER, SOME_TIME};
use crate::strategy::Strategy;
use crate::strategy::threading::Threading;

fn serve_all(max_threads: usize, keep_alive: Duration, clients: usize) {
    thread::limit(None);
    let strategy = Threading::new()
        .max_threads(max_threads)
        .keep_alive(keep_alive);
    let acceptor = Acceptor::new(strategy, do_nothing);
    let connecting = acceptor.connect(clients);
    assert_eq!(acceptor.serve(clients), clients);
    acceptor.strategy.server_close(FOREVER);
    connecting.join().expect("all clients connect");
    acceptor.ledger.assert_all_ran(clients);
    assert!(acceptor.ledger.max_running() <= max_threads);
}

/// The wait of an idle thread may expire at any moment, also while the thread gets the next job. The loop
/// never waits while there is capacity.
pub fn every_job_runs_once() {
    serve_all(2, SOME_TIME, 5);
}

/// Only the next job, or the close, ends the wait of an idle thread.
pub fn every_job_wakes_an_idle_thread() {
    serve_all(2, FOREVER, 5);
}

/// Each thread ends with its job, as in Python.
pub fn without_keep_alive_each_job_has_a_thread() {
    serve_all(2, Duration::ZERO, 4);
}

pub fn with_one_thread_jobs_run_one_at_a_time() {
    serve_all(1, SOME_TIME, 4);
}

/// The second job arrives while the thread of the first one works, waits, or has just given up. Small enough
/// for an exhaustive search.
pub fn a_job_is_handed_over() {
    thread::limit(None);
    let strategy = Threading::new().max_threads(1).keep_alive(SOME_TIME);
    let acceptor = Acceptor::new(strategy, |_, _| {});
    acceptor.process(0);
    acceptor.process(1);
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(2);
}

/// A handler waits until the next one begins. A job that is put into the slot of a busy thread causes a
/// deadlock.
pub fn no_job_waits_for_a_busy_thread() {
    const CLIENTS: usize = 6;
    thread::limit(None);
    let strategy = Threading::new().max_threads(2).keep_alive(SOME_TIME);
    let acceptor = Acceptor::new(strategy, |client, ledger| {
        if client % 2 == 0 {
            ledger.wait_until_begun(client + 1);
        }
    });
    let clients = acceptor.connect(CLIENTS);
    acceptor.serve(CLIENTS);
    acceptor.strategy.server_close(FOREVER);
    clients.join().expect("all clients connect");
    acceptor.ledger.assert_all_ran(CLIENTS);
    assert!(acceptor.ledger.max_running() <= 2);
}

fn close_while_jobs_arrive(keep_alive: Duration, jobs: usize) {
    thread::limit(None);
    let strategy = Threading::new().keep_alive(keep_alive);
    let acceptor = Arc::new(Acceptor::new(strategy, do_nothing));
    let closing = Arc::clone(&acceptor);
    let closer = thread::spawn(move || closing.strategy.server_close(FOREVER));
    for client in 0..jobs {
        acceptor.process(client);
    }
    closer.join().expect("the close ends");
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(jobs);
}

/// The strategy is closed while jobs arrive. A job that arrives later has a thread of its own, which ends.
pub fn closing_loses_no_job() {
    close_while_jobs_arrive(SOME_TIME, 4);
}

/// The wait of an idle thread never expires, so that the close must end it.
pub fn closing_ends_all_threads() {
    close_while_jobs_arrive(FOREVER, 4);
}

/// One job, whose thread works, becomes idle or waits. Small enough for an exhaustive search.
pub fn closing_ends_the_only_thread() {
    close_while_jobs_arrive(FOREVER, 1);
}

/// No second thread can be started. A job that needs one is rejected with the error.
pub fn without_a_thread_jobs_are_rejected() {
    thread::limit(Some(1));
    let acceptor = Acceptor::new(Threading::new().keep_alive(SOME_TIME), do_nothing);
    (0..3).for_each(|client| acceptor.process(client));
    acceptor.strategy.server_close(FOREVER);
    let outcomes = acceptor.ledger.outcomes(3);
    assert_eq!(outcomes[0], Outcome::Ran);
    let allowed = [Outcome::Ran, Outcome::Rejected { failed: true }];
    assert!(outcomes.iter().all(|outcome| allowed.contains(outcome)));
    assert_eq!(acceptor.ledger.max_running(), 1);
}
