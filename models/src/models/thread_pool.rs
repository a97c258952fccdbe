//! Models of `ThreadPool`: its queue, its threads, and the notification of the accept loop.

use std::sync::Arc;
use std::thread;

use crate::models::FOREVER;
use crate::models::acceptor::{Acceptor, do_nothing};
use crate::models::ledger::{Outcome, SharedLedger};
use crate::strategy::Strategy;
use crate::strategy::thread_pool::ThreadPool;

/// More clients than threads and queue entries. Each is served once, the loop never waits while there is
/// capacity, and no more jobs run at the same time than there are threads.
pub fn every_job_runs_once() {
    const CLIENTS: usize = 5;
    thread::limit(None);
    let acceptor = Acceptor::new(ThreadPool::new(2).queue_size(1), do_nothing);
    let clients = acceptor.connect(CLIENTS);
    assert_eq!(acceptor.serve(CLIENTS), CLIENTS);
    acceptor.strategy.server_close(FOREVER);
    clients.join().expect("all clients connect");
    acceptor.ledger.assert_all_ran(CLIENTS);
    assert!(acceptor.ledger.max_running() <= 2);
    assert!(acceptor.ledger.max_active() <= 2 + 1);
}

/// The loop is notified as soon as a thread has finished, not after the next job: each handler waits until the
/// client after the next one is accepted.
pub fn capacity_is_used_as_soon_as_it_is_free() {
    const CLIENTS: usize = 4;
    thread::limit(None);
    let acceptor = Acceptor::new(ThreadPool::new(1).queue_size(1), |client, ledger| {
        ledger.wait_until_accepted(CLIENTS.min(client + 2));
    });
    let clients = acceptor.connect(CLIENTS);
    acceptor.serve(CLIENTS);
    acceptor.strategy.server_close(FOREVER);
    clients.join().expect("all clients connect");
    acceptor.ledger.assert_all_ran(CLIENTS);
    assert!(acceptor.ledger.max_active() <= 1 + 1);
}

/// Small enough for an exhaustive search.
pub fn one_thread_runs_two_jobs() {
    let acceptor = Acceptor::new(ThreadPool::new(1).queue_size(1), |_, _| {});
    thread::limit(None);
    for client in 0..2 {
        acceptor.process(client);
    }
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(2);
}

/// Of two clients, one waits until the other's handler begins. A job that is queued behind the busy thread,
/// although another thread can start, causes a deadlock.
pub fn no_job_waits_for_a_busy_thread_while_another_can_start() {
    const CLIENTS: usize = 7;
    thread::limit(None);
    let pool = ThreadPool::new(2).queue_size(2);
    // Client 0 waits for no other, so that one thread or two exist when client 1 is accepted.
    let acceptor = Acceptor::new(pool, |client, ledger| {
        if client % 2 == 1 {
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

/// The pool is closed while jobs arrive. The accepted jobs run, and the others are rejected.
pub fn closing_loses_no_job() {
    thread::limit(None);
    let acceptor = Arc::new(Acceptor::new(ThreadPool::new(2).queue_size(1), do_nothing));
    let closing = Arc::clone(&acceptor);
    let closer = thread::spawn(move || closing.strategy.server_close(FOREVER));
    for client in 0..3 {
        acceptor.process(client);
    }
    closer.join().expect("the close ends");
    // Waits for jobs that were accepted during the first close.
    acceptor.strategy.server_close(FOREVER);
    let rejected = Outcome::Rejected { failed: false };
    let is_allowed = |outcome| [Outcome::Ran, rejected].contains(outcome);
    assert!(acceptor.ledger.outcomes(3).iter().all(is_allowed));
}

/// The pool is closed while one job arrives, small enough for an exhaustive search.
pub fn closing_loses_no_single_job() {
    thread::limit(None);
    let acceptor = Arc::new(Acceptor::new(ThreadPool::new(1), |_, _| {}));
    let closing = Arc::clone(&acceptor);
    let closer = thread::spawn(move || closing.strategy.server_close(FOREVER));
    acceptor.process(0);
    closer.join().expect("the close ends");
    acceptor.strategy.server_close(FOREVER);
    assert_ne!(acceptor.ledger.outcomes(1), [Outcome::Dropped]);
}

/// A stop ends the loop's wait for capacity. The pool has no capacity again until the loop has ended.
pub fn a_stop_wakes_the_loop_of_a_full_pool() {
    /// The handlers of all other clients wait for this one, which never connects.
    const LAST: usize = 3;
    thread::limit(None);
    let handler = |client: usize, ledger: &SharedLedger| {
        if client != LAST {
            ledger.wait_until_begun(LAST);
        }
    };
    let acceptor = Acceptor::new(ThreadPool::new(1).queue_size(1), handler);
    let clients = acceptor.connect(LAST);
    let (stopping, fds) = (Arc::clone(&acceptor.stopping), acceptor.fds.clone());
    let stop = thread::spawn(move || Acceptor::<ThreadPool>::stop(&stopping, &fds));
    let accepted = acceptor.serve(usize::MAX);
    assert!(accepted <= 1 + 1, "one thread and one queue entry");
    // Ends the handlers.
    acceptor.ledger.begin(LAST);
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(accepted);
    for thread in [clients, stop] {
        thread.join().expect("the thread does not panic");
    }
}

/// No thread can be started. Each job is rejected with the error.
pub fn without_a_thread_jobs_are_rejected() {
    thread::limit(Some(0));
    let acceptor = Acceptor::new(ThreadPool::new(2), do_nothing);
    let clients = acceptor.connect(2);
    acceptor.serve(2);
    clients.join().expect("all clients connect");
    acceptor.strategy.server_close(FOREVER);
    assert_eq!(
        acceptor.ledger.outcomes(2),
        [Outcome::Rejected { failed: true }; 2]
    );
}

/// Only one thread of two can be started. It serves all clients.
pub fn one_thread_of_two_serves_all_clients() {
    let acceptor = Acceptor::new(ThreadPool::new(2).queue_size(1), do_nothing);
    thread::limit(Some(1));
    (0..4).for_each(|client| acceptor.fds.connect(client));
    acceptor.serve(4);
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(4);
    assert_eq!(acceptor.ledger.max_running(), 1);
}
