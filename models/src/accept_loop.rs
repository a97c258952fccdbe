//! An accept loop, with the steps of the real one in their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::job::Job;
use crate::ledger::SharedLedger;
use crate::strategy::{Ready, Strategy, Wait};
use crate::sys::wake::Bell;

/// What the handler of a client does, by the client's number.
pub(crate) type Handler = fn(usize, &SharedLedger);

/// A handler that does nothing, at a moment when others may go on.
pub(crate) fn nothing(_client: usize, _ledger: &SharedLedger) {
    thread::yield_now();
}

pub(crate) struct Acceptor<S> {
    pub(crate) strategy: Arc<S>,
    pub(crate) ledger: SharedLedger,
    pub(crate) bell: Bell,
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) handler: Handler,
}

impl<S: Strategy> Acceptor<S> {
    pub(crate) fn new(strategy: S, handler: Handler) -> Self {
        Self {
            strategy: Arc::new(strategy),
            ledger: SharedLedger::default(),
            bell: Bell::default(),
            stopping: Arc::default(),
            handler,
        }
    }

    /// Lets `clients` of them come, one after the other.
    pub(crate) fn connect(&self, clients: usize) -> JoinHandle<()> {
        let bell = self.bell.clone();
        thread::spawn(move || (0..clients).for_each(|client| bell.connect(client)))
    }

    /// Asks the loop to leave.
    pub(crate) fn stop(stopping: &AtomicBool, bell: &Bell) {
        stopping.store(true, Ordering::SeqCst);
        bell.wake();
    }

    /// Runs until a stop, or until `most` clients were taken in. Returns how many there were.
    pub(crate) fn serve(&self, most: usize) -> usize {
        let mut taken_in = 0;
        while taken_in < most && !self.stopping.load(Ordering::SeqCst) {
            let wait = Wait {
                bell: &self.bell,
                taken_in: false,
                turning_away: false,
            };
            match self.strategy.wait(&wait).expect("waiting works") {
                Ready::Woken => {
                    self.bell.drain();
                    if self.stopping.load(Ordering::SeqCst) {
                        self.bell.wake();
                    }
                }
                Ready::Request if self.stopping.load(Ordering::SeqCst) => {}
                Ready::Request => {
                    if let Some(client) = self.bell.accept() {
                        taken_in += 1;
                        self.ledger.take_in();
                        self.process(client);
                    }
                }
            }
        }
        taken_in
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
