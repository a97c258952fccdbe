//! Models of `ThreadPool`: its queue and its threads.

use std::sync::Arc;
use std::thread;

use crate::FOREVER;
use crate::accept_loop::{AcceptLoop, nothing};
use crate::ledger::{Outcome, SharedLedger};
use crate::strategy::Strategy;
use crate::strategy::thread_pool::ThreadPool;

fn serve_all(pool: ThreadPool, clients: usize) -> AcceptLoop<ThreadPool> {
    thread::limit(None);
    let accept_loop = AcceptLoop::new(pool, nothing);
    let arrivals = accept_loop.connect(clients);
    assert_eq!(accept_loop.serve(clients), clients);
    accept_loop.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    accept_loop
}

/// More clients than threads and queue places: each is served once, the accept loop never waits while there is
/// a free place, and no more jobs run at the same time than there are threads.
pub fn every_job_runs_once() {
    let accept_loop = serve_all(ThreadPool::new(2).queue_size(1), 5);
    accept_loop.ledger.assert_all_ran(5);
    assert!(accept_loop.ledger.most_running() <= 2);
    assert!(accept_loop.ledger.most_accepted() <= 2 + 1);
}

/// The accept loop is woken as soon as one thread has finished: each handler waits until the client after the
/// next is accepted.
pub fn a_place_is_filled_as_soon_as_it_is_free() {
    const CLIENTS: usize = 4;
    thread::limit(None);
    let accept_loop = AcceptLoop::new(ThreadPool::new(1).queue_size(1), |client, ledger| {
        ledger.wait_for_accepted(CLIENTS.min(client + 2));
    });
    let arrivals = accept_loop.connect(CLIENTS);
    accept_loop.serve(CLIENTS);
    accept_loop.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    accept_loop.ledger.assert_all_ran(CLIENTS);
    assert!(accept_loop.ledger.most_accepted() <= 1 + 1);
}

/// Variant that is small enough for an exhaustive search.
pub fn one_thread_serves_two() {
    let accept_loop = AcceptLoop::new(ThreadPool::new(1).queue_size(1), |_, _| {});
    thread::limit(None);
    for client in 0..2 {
        accept_loop.process(client);
    }
    accept_loop.strategy.server_close(FOREVER);
    accept_loop.ledger.assert_all_ran(2);
}

/// Some handlers wait for the next client's handler to begin. A job that is queued behind them, instead of
/// being given to a new thread, would be a deadlock.
pub fn no_job_waits_behind_a_handler_while_there_are_threads() {
    thread::limit(None);
    let pool = ThreadPool::new(2).queue_size(2);
    // The first handler waits for none, so there may be one thread or two when the second client connects.
    let accept_loop = AcceptLoop::new(pool, |client, ledger| {
        if client % 2 == 1 {
            ledger.wait_for_start(client + 1);
        }
    });
    let arrivals = accept_loop.connect(7);
    accept_loop.serve(7);
    accept_loop.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    accept_loop.ledger.assert_all_ran(7);
    assert!(accept_loop.ledger.most_running() <= 2);
}

/// The server is closed while jobs are submitted: accepted jobs run, the others are rejected.
pub fn closing_loses_no_job() {
    thread::limit(None);
    let accept_loop = Arc::new(AcceptLoop::new(ThreadPool::new(2).queue_size(1), nothing));
    let closing = Arc::clone(&accept_loop);
    let closer = thread::spawn(move || closing.strategy.server_close(FOREVER));
    for client in 0..3 {
        accept_loop.process(client);
    }
    closer.join().expect("it is closed");
    let rejected = Outcome::Rejected { failed: false };
    let is_fair = |outcome| [Outcome::Ran, rejected].contains(outcome);
    // Jobs that were accepted during the close may still run: the second close waits for them.
    accept_loop.strategy.server_close(FOREVER);
    assert!(accept_loop.ledger.outcomes(3).iter().all(is_fair));
}

/// Variant with one job, small enough for an exhaustive search.
pub fn closing_loses_no_single_job() {
    thread::limit(None);
    let accept_loop = Arc::new(AcceptLoop::new(ThreadPool::new(1), |_, _| {}));
    let closing = Arc::clone(&accept_loop);
    let closer = thread::spawn(move || closing.strategy.server_close(FOREVER));
    accept_loop.process(0);
    closer.join().expect("it is closed");
    accept_loop.strategy.server_close(FOREVER);
    assert_ne!(accept_loop.ledger.outcomes(1), [Outcome::Dropped]);
}

/// A stop wakes an accept loop that waits for a free place.
pub fn a_full_pool_can_be_stopped() {
    thread::limit(None);
    // Each handler waits for a client that does not connect while the loop runs.
    let handler = |client: usize, ledger: &SharedLedger| {
        if client != LAST {
            ledger.wait_for_start(LAST);
        }
    };
    const LAST: usize = 3;
    let accept_loop = AcceptLoop::new(ThreadPool::new(1).queue_size(1), handler);
    let arrivals = accept_loop.connect(LAST);
    let (stopping, fds) = (Arc::clone(&accept_loop.stopping), accept_loop.fds.clone());
    let stop = thread::spawn(move || AcceptLoop::<ThreadPool>::stop(&stopping, &fds));
    let accepted = accept_loop.serve(usize::MAX);
    assert!(accepted <= 2, "one thread and one place");
    // The handlers can end now.
    accept_loop.ledger.begin(LAST);
    accept_loop.strategy.server_close(FOREVER);
    accept_loop.ledger.assert_all_ran(accepted);
    for thread in [arrivals, stop] {
        thread.join().expect("it ends");
    }
}

/// No thread can be started: jobs are rejected with the error.
pub fn without_a_thread_jobs_are_rejected() {
    thread::limit(Some(0));
    let accept_loop = AcceptLoop::new(ThreadPool::new(2), nothing);
    let arrivals = accept_loop.connect(2);
    accept_loop.serve(2);
    arrivals.join().expect("all have come");
    accept_loop.strategy.server_close(FOREVER);
    assert_eq!(
        accept_loop.ledger.outcomes(2),
        [Outcome::Rejected { failed: true }; 2]
    );
}

/// One thread of two can be started: it serves all clients.
pub fn one_thread_of_two_serves_all() {
    let accept_loop = AcceptLoop::new(ThreadPool::new(2).queue_size(1), nothing);
    thread::limit(Some(1));
    let fds = accept_loop.fds.clone();
    (0..4).for_each(|client| fds.connect(client));
    accept_loop.serve(4);
    accept_loop.strategy.server_close(FOREVER);
    accept_loop.ledger.assert_all_ran(4);
    assert_eq!(accept_loop.ledger.most_running(), 1);
}
