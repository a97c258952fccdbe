//! Models of `Threading`: the line of idle threads, and what is put on their desks.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::acceptor::{Acceptor, nothing};
use crate::ledger::Fate;
use crate::strategy::Strategy;
use crate::strategy::threading::Threading;
use crate::{FOREVER, SOME_TIME};

fn serve_all(max_threads: usize, keep_alive: Duration, clients: usize) {
    thread::limit(None);
    let strategy = Threading::new()
        .max_threads(max_threads)
        .keep_alive(keep_alive);
    let acceptor = Acceptor::new(strategy, nothing);
    let arrivals = acceptor.connect(clients);
    assert_eq!(acceptor.serve(clients), clients);
    acceptor.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    acceptor.ledger.assert_all_ran(clients);
    assert!(acceptor.ledger.most_running() <= max_threads);
}

/// A thread may give up waiting at any moment, also when it is given the next job: each runs once, and the
/// loop never sleeps while there is room.
pub fn every_job_runs_once() {
    serve_all(2, SOME_TIME, 5);
}

/// Here nothing but the next job, or the close, ends the wait of an idle thread.
pub fn idle_threads_hear_of_every_job() {
    serve_all(2, FOREVER, 5);
}

/// As in Python: no thread waits for a second job.
pub fn a_thread_for_each() {
    serve_all(2, Duration::ZERO, 4);
}

pub fn one_at_a_time() {
    serve_all(1, SOME_TIME, 4);
}

/// The hand-over alone, small enough to try everything: the second job comes while the thread of the first
/// works, waits, or has just given up.
pub fn a_job_is_handed_over() {
    thread::limit(None);
    let strategy = Threading::new().max_threads(1).keep_alive(SOME_TIME);
    let acceptor = Acceptor::new(strategy, |_, _| {});
    acceptor.process(0);
    acceptor.process(1);
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(2);
}

/// One handler waits for the next to begin, which is never put on the desk of a thread that is busy.
pub fn nobody_waits_behind_a_handler() {
    thread::limit(None);
    let strategy = Threading::new().max_threads(2).keep_alive(SOME_TIME);
    let acceptor = Acceptor::new(strategy, |client, ledger| {
        if client % 2 == 0 {
            ledger.wait_for_start(client + 1);
        }
    });
    let arrivals = acceptor.connect(6);
    acceptor.serve(6);
    acceptor.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    acceptor.ledger.assert_all_ran(6);
    assert!(acceptor.ledger.most_running() <= 2);
}

fn close_while_jobs_come(keep_alive: Duration, jobs: usize) {
    thread::limit(None);
    let strategy = Threading::new().keep_alive(keep_alive);
    let acceptor = Arc::new(Acceptor::new(strategy, nothing));
    let closing = Arc::clone(&acceptor);
    let closer = thread::spawn(move || closing.strategy.server_close(FOREVER));
    for client in 0..jobs {
        acceptor.process(client);
    }
    closer.join().expect("it is closed");
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(jobs);
}

/// The server is closed while jobs come. Whatever comes later has a thread of its own, which ends.
pub fn closing_loses_no_job() {
    close_while_jobs_come(SOME_TIME, 4);
}

/// Where a thread that is not sent home waits for ever.
pub fn closing_sends_all_home() {
    close_while_jobs_come(FOREVER, 4);
}

/// The same with one job, small enough to try everything: its thread works, joins the line or waits there.
pub fn closing_sends_the_last_one_home() {
    close_while_jobs_come(FOREVER, 1);
}

/// No thread can be had: the job comes back from the desk, with the reason.
pub fn without_a_thread_jobs_are_given_back() {
    thread::limit(Some(1));
    let acceptor = Acceptor::new(Threading::new().keep_alive(SOME_TIME), nothing);
    (0..3).for_each(|client| acceptor.process(client));
    acceptor.strategy.server_close(FOREVER);
    let fates = acceptor.ledger.fates(3);
    assert_eq!(fates[0], Fate::Ran);
    let fair = [Fate::Ran, Fate::Rejected { failed: true }];
    assert!(fates.iter().all(|fate| fair.contains(fate)));
    assert_eq!(acceptor.ledger.most_running(), 1);
}
