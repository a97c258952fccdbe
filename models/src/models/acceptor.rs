//! An accept loop for models of strategies, with the steps of the real loop in their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::job::Job;
use crate::models::accept_fds::AcceptFds;
use crate::models::ledger::SharedLedger;
use crate::strategy::{AcceptWait, Ready, Strategy};

/// A handler, which gets the number of its client.
pub(crate) type Handler = fn(usize, &SharedLedger);

/// A handler that does nothing. Other threads may run meanwhile.
pub(crate) fn do_nothing(_client: usize, _ledger: &SharedLedger) {
    thread::yield_now();
}

pub(crate) struct Acceptor<S> {
    pub(crate) strategy: Arc<S>,
    pub(crate) ledger: SharedLedger,
    pub(crate) fds: AcceptFds,
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) handler: Handler,
}

impl<S: Strategy> Acceptor<S> {
    pub(crate) fn new(strategy: S, handler: Handler) -> Self {
        Self {
            strategy: Arc::new(strategy),
            ledger: SharedLedger::default(),
            fds: AcceptFds::default(),
            stopping: Arc::default(),
            handler,
        }
    }

    /// Connects the clients 0 to `clients` on another thread, one after the other.
    pub(crate) fn connect(&self, clients: usize) -> JoinHandle<()> {
        let fds = self.fds.clone();
        thread::spawn(move || (0..clients).for_each(|client| fds.connect(client)))
    }

    /// Requests that the loop ends.
    pub(crate) fn stop(stopping: &AtomicBool, fds: &AcceptFds) {
        stopping.store(true, Ordering::SeqCst);
        fds.wake();
    }

    /// Accepts clients until a stop, `max_clients` at most. Returns the number of accepted clients.
    pub(crate) fn serve(&self, max_clients: usize) -> usize {
        let mut accepted = 0;
        while accepted < max_clients && !self.stopping.load(Ordering::SeqCst) {
            let wait = AcceptWait {
                fds: &self.fds,
                timeout: None,
                already_received: false,
                rejecting: false,
            };
            match self.strategy.wait(&wait).expect("the wait has no errors") {
                Ready::Woken => {
                    self.fds.drain_wake_ups();
                    if self.stopping.load(Ordering::SeqCst) {
                        self.fds.wake();
                    }
                }
                Ready::Request if self.stopping.load(Ordering::SeqCst) => {}
                Ready::Request => {
                    if let Some(client) = self.fds.accept() {
                        accepted += 1;
                        self.ledger.accept();
                        self.process(client);
                    }
                }
                Ready::TimedOut => unreachable!("the wait has no timeout"),
            }
        }
        accepted
    }

    pub(crate) fn process(&self, client: usize) {
        let (handler, ledger) = (self.handler, SharedLedger::clone(&self.ledger));
        let work = move || handler(client, &ledger);
        let job = Job::new(client, &self.ledger, work);
        if let Err(rejected) = self.strategy.process_request(job) {
            rejected.close();
        }
    }
}
