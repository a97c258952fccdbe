//! An accept loop, with the steps of the real one in the same order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::job::Job;
use crate::ledger::SharedLedger;
use crate::strategy::{AcceptWait, Ready, Strategy};
use crate::sys::waker::AcceptFds;

/// The handler of a client, which gets the client's number.
pub(crate) type Handler = fn(usize, &SharedLedger);

/// A handler that only lets other threads run.
pub(crate) fn nothing(_client: usize, _ledger: &SharedLedger) {
    thread::yield_now();
}

pub(crate) struct AcceptLoop<S> {
    pub(crate) strategy: Arc<S>,
    pub(crate) ledger: SharedLedger,
    pub(crate) fds: AcceptFds,
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) handler: Handler,
}

impl<S: Strategy> AcceptLoop<S> {
    pub(crate) fn new(strategy: S, handler: Handler) -> Self {
        Self {
            strategy: Arc::new(strategy),
            ledger: SharedLedger::default(),
            fds: AcceptFds::default(),
            stopping: Arc::default(),
            handler,
        }
    }

    /// Connects `clients` clients, one after the other.
    pub(crate) fn connect(&self, clients: usize) -> JoinHandle<()> {
        let fds = self.fds.clone();
        thread::spawn(move || (0..clients).for_each(|client| fds.connect(client)))
    }

    /// Requests that the loop leave.
    pub(crate) fn stop(stopping: &AtomicBool, fds: &AcceptFds) {
        stopping.store(true, Ordering::SeqCst);
        fds.wake();
    }

    /// Runs until a stop, or until `most` clients were accepted. Returns how many were.
    pub(crate) fn serve(&self, most: usize) -> usize {
        let mut accepted = 0;
        while accepted < most && !self.stopping.load(Ordering::SeqCst) {
            let wait = AcceptWait {
                fds: &self.fds,
                already_received: false,
                rejecting: false,
            };
            match self.strategy.wait(&wait).expect("waiting works") {
                Ready::Woken => {
                    self.fds.drain();
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
