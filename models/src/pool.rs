//! Models of `ThreadPool`: its queue, its threads, and who comes for which job.

use std::sync::Arc;
use std::thread;

use crate::FOREVER;
use crate::acceptor::{Acceptor, nothing};
use crate::ledger::{Fate, SharedLedger};
use crate::strategy::Strategy;
use crate::strategy::thread_pool::{ThreadPool, WhenFull};

fn serve_all(pool: ThreadPool, clients: usize) -> Acceptor<ThreadPool> {
    thread::limit(None);
    let acceptor = Acceptor::new(pool, nothing);
    let arrivals = acceptor.connect(clients);
    assert_eq!(acceptor.serve(clients), clients);
    acceptor.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    acceptor
}

/// More clients than threads and places in the queue: each is served, once, the loop never sleeps while there
/// is room, and no more run at the same time than there are threads.
pub fn every_job_runs_once() {
    let acceptor = serve_all(ThreadPool::new(2).queue(1), 5);
    acceptor.ledger.assert_all_ran(5);
    assert!(acceptor.ledger.most_running() <= 2);
    assert!(acceptor.ledger.most_taken_in() <= 2 + 1);
}

/// A place is free as soon as a thread has finished, and the loop hears of it then, not when the next has
/// finished too: each handler waits for the client after the next to be taken in.
pub fn a_place_is_filled_as_soon_as_it_is_free() {
    const CLIENTS: usize = 4;
    thread::limit(None);
    let acceptor = Acceptor::new(ThreadPool::new(1).queue(1), |client, ledger| {
        ledger.wait_for_taken_in(CLIENTS.min(client + 2));
    });
    let arrivals = acceptor.connect(CLIENTS);
    acceptor.serve(CLIENTS);
    acceptor.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    acceptor.ledger.assert_all_ran(CLIENTS);
    assert!(acceptor.ledger.most_taken_in() <= 1 + 1);
}

/// The same, small enough to try everything.
pub fn one_thread_serves_two() {
    let acceptor = Acceptor::new(ThreadPool::new(1).queue(1), |_, _| {});
    thread::limit(None);
    for client in 0..2 {
        acceptor.process(client);
    }
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(2);
}

/// Of two clients one waits for the other's handler to begin: a job that is put into the queue for a thread
/// that does not come would be waited for in vain.
pub fn nobody_waits_behind_a_handler_while_there_are_threads() {
    thread::limit(None);
    let pool = ThreadPool::new(2).queue(2);
    // The first of them needs no other, so that there may be one thread when the second comes, or two.
    let acceptor = Acceptor::new(pool, |client, ledger| {
        if client % 2 == 1 {
            ledger.wait_for_start(client + 1);
        }
    });
    let arrivals = acceptor.connect(7);
    acceptor.serve(7);
    acceptor.strategy.server_close(FOREVER);
    arrivals.join().expect("all have come");
    acceptor.ledger.assert_all_ran(7);
    assert!(acceptor.ledger.most_running() <= 2);
}

/// Where there is no place, clients are turned away, and nobody else.
pub fn who_finds_no_place_is_refused() {
    let pool = ThreadPool::new(1)
        .queue(1)
        .when_full(WhenFull::Refuse(Vec::new()));
    let acceptor = serve_all(pool, 4);
    let fates = acceptor.ledger.fates(4);
    // The first has the thread; the second, if that is not free by then, the place.
    assert_eq!(fates[..2], [Fate::Ran; 2]);
    let refused = Fate::Rejected { failed: false };
    assert!(fates.iter().all(|fate| [Fate::Ran, refused].contains(fate)));
    assert!(acceptor.ledger.most_running() <= 1);
}

/// The server is closed while jobs come: those that are taken run, the others are given back.
pub fn closing_loses_no_job() {
    thread::limit(None);
    let acceptor = Arc::new(Acceptor::new(ThreadPool::new(2).queue(1), nothing));
    let closing = Arc::clone(&acceptor);
    let closer = thread::spawn(move || closing.strategy.server_close(FOREVER));
    for client in 0..3 {
        acceptor.process(client);
    }
    closer.join().expect("it is closed");
    // What is left of its threads has no job any more.
    let rejected = Fate::Rejected { failed: false };
    let is_fair = |fate| [Fate::Ran, rejected].contains(fate);
    // Some of it may go on after the close: whoever was taken in by then.
    acceptor.strategy.server_close(FOREVER);
    assert!(acceptor.ledger.fates(3).iter().all(is_fair));
}

/// The same with one job, small enough to try everything.
pub fn closing_loses_no_single_job() {
    thread::limit(None);
    let acceptor = Arc::new(Acceptor::new(ThreadPool::new(1), |_, _| {}));
    let closing = Arc::clone(&acceptor);
    let closer = thread::spawn(move || closing.strategy.server_close(FOREVER));
    acceptor.process(0);
    closer.join().expect("it is closed");
    acceptor.strategy.server_close(FOREVER);
    assert_ne!(acceptor.ledger.fates(1), [Fate::Dropped]);
}

/// A stop wakes a loop that waits for room, which there is none of until after it.
pub fn a_full_pool_hears_a_stop() {
    thread::limit(None);
    // The handler of a client waits for one that never comes while the loop runs.
    let handler = |client: usize, ledger: &SharedLedger| {
        if client != LAST {
            ledger.wait_for_start(LAST);
        }
    };
    const LAST: usize = 3;
    let acceptor = Acceptor::new(ThreadPool::new(1).queue(1), handler);
    let arrivals = acceptor.connect(LAST);
    let (stopping, bell) = (Arc::clone(&acceptor.stopping), acceptor.bell.clone());
    let stop = thread::spawn(move || Acceptor::<ThreadPool>::stop(&stopping, &bell));
    let taken_in = acceptor.serve(usize::MAX);
    assert!(taken_in <= 2, "there is a thread and a place");
    // Now they can end.
    acceptor.ledger.begin(LAST);
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(taken_in);
    for thread in [arrivals, stop] {
        thread.join().expect("it ends");
    }
}

/// No thread at all: the job is given back, with the reason.
pub fn without_a_thread_jobs_are_given_back() {
    thread::limit(Some(0));
    let acceptor = Acceptor::new(ThreadPool::new(2), nothing);
    let arrivals = acceptor.connect(2);
    acceptor.serve(2);
    arrivals.join().expect("all have come");
    acceptor.strategy.server_close(FOREVER);
    assert_eq!(
        acceptor.ledger.fates(2),
        [Fate::Rejected { failed: true }; 2]
    );
}

/// A smaller pool than asked for is a pool: one thread of two can be had.
pub fn one_thread_of_two_serves_all() {
    let acceptor = Acceptor::new(ThreadPool::new(2).queue(1), nothing);
    thread::limit(Some(1));
    let bell = acceptor.bell.clone();
    (0..4).for_each(|client| bell.connect(client));
    acceptor.serve(4);
    acceptor.strategy.server_close(FOREVER);
    acceptor.ledger.assert_all_ran(4);
    assert_eq!(acceptor.ledger.most_running(), 1);
}
