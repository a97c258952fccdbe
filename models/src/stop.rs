//! Models of a server from its first run to its close: `Core` and `DrainOnDrop`, with the life cycle that
//! they share.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::job::Job;
use crate::ledger::{Fate, SharedLedger};
use crate::request::Connection;
use crate::rest::address::ServerAddress;
use crate::server::ServerHandle;
use crate::server::core::{Core, InFlight};
use crate::server::drain::{DrainOnDrop, DrainReport, FinishQueue, WaitingClients};
use crate::server::life::{Phase, Run};
use crate::server::stats::{Outcome, Refusal};
use crate::strategy::threading::Threading;
use crate::strategy::{Ready, Strategy, Wait};
use crate::{FOREVER, SOME_TIME};

/// What a handler does with its connection.
type Handler = fn(&Connection);

/// For a client that never sends anything: the handler waits for it.
fn read(connection: &Connection) {
    connection.read();
}

/// For one that is quick.
fn at_once(_connection: &Connection) {
    thread::yield_now();
}

/// All that takes clients in.
#[derive(Clone)]
struct Server {
    core: Arc<Core>,
    /// `None`: the loop serves them itself.
    strategy: Option<Arc<Threading>>,
    ledger: SharedLedger,
    handler: Handler,
}

impl Server {
    fn new(strategy: Option<Threading>, handler: Handler, grace: Duration) -> Self {
        thread::limit(None);
        let core = Arc::new(Core::new(ServerAddress).expect("it is a model"));
        core.life.change_patience(|patience| {
            patience.grace = grace;
            // What is cut ends: nobody is given up.
            patience.closing = FOREVER;
        });
        Self {
            core,
            strategy: strategy.map(Arc::new),
            ledger: SharedLedger::default(),
            handler,
        }
    }

    fn connect(&self, clients: usize) {
        (0..clients).for_each(|client| self.core.waker.0.connect(client));
    }

    fn stopper(&self) -> JoinHandle<()> {
        let core = Arc::clone(&self.core);
        thread::spawn(move || core.request_stop())
    }

    fn wait(&self, taken_in: bool) -> Ready {
        let bell = &self.core.waker.0;
        let wait = Wait {
            bell,
            taken_in,
            turning_away: false,
        };
        let ready = match &self.strategy {
            Some(strategy) => strategy.wait(&wait),
            None => wait.for_request(),
        };
        ready.expect("waiting works")
    }

    /// The accept loop.
    fn serve_forever(&self) {
        let _serving = self.core.begin_serving(Run::Forever).expect("nobody else");
        self.run_loop();
    }

    fn run_loop(&self) {
        while !self.core.is_stopping() {
            match self.wait(false) {
                Ready::Woken => self.core.acknowledge_wake(),
                Ready::Request if self.core.is_stopping() => {}
                Ready::Request => {
                    if let Some(client) = self.core.waker.0.accept() {
                        self.process_request(client);
                    }
                }
            }
        }
    }

    /// As in `server::accept`; the connection is made by the transport, before all else.
    fn process_request(&self, client: usize) {
        let connection = Connection::new(&self.core);
        let in_flight = InFlight::begin(&self.core);
        let can_be_cut = self.core.connection_in_loop();
        let Some(strategy) = &self.strategy else {
            self.ledger.begin(client);
            serve(self.handler, connection, in_flight);
            self.ledger.end(client, Fate::Ran);
            return;
        };
        drop(can_be_cut);
        let (handler, in_flight) = (self.handler, in_flight.into_owned());
        let job = Job::new(client, &self.ledger, move || {
            serve(handler, connection, in_flight);
        });
        if let Err(rejected) = strategy.process_request(job) {
            rejected.close();
        }
    }

    /// As in `server::queue`.
    fn finish_queue(&self, until: Option<Instant>) {
        let _drains = self.core.loop_drains();
        loop {
            let refusing = until.is_some_and(|until| until <= Instant::now());
            if !refusing && self.wait(true) == Ready::Woken {
                self.core.acknowledge_wake();
                continue;
            }
            let Some(client) = self.core.waker.0.accept() else {
                break;
            };
            if refusing {
                let mut in_flight = InFlight::begin(&self.core);
                in_flight.outcome = Outcome::Refused(Refusal::Closing);
                drop(in_flight);
                self.ledger.end(client, Fate::Rejected { failed: false });
            } else {
                self.process_request(client);
            }
        }
    }

    fn close(&self) -> DrainReport {
        let handle = ServerHandle(Arc::clone(&self.core));
        let own = self.clone();
        let finish: FinishQueue =
            Box::new(move |_, _: &WaitingClients, until| own.finish_queue(until));
        let strategy: Box<dyn Strategy> = match &self.strategy {
            Some(strategy) => Box::new(Arc::clone(strategy)),
            None => Box::new(InPlace),
        };
        let report = DrainOnDrop::new(&handle, strategy, finish).drain();
        assert_eq!(self.core.life.phase(), Phase::Stopped);
        report
    }
}

/// What a worker, or the loop, does with a request.
fn serve<C: std::borrow::Borrow<Arc<Core>>>(
    handler: Handler,
    connection: Arc<Connection>,
    mut in_flight: InFlight<C>,
) {
    handler(&connection);
    if connection.end() {
        use crate::request::LiveConnection;
        let info = || Some(connection.info());
        in_flight.interrupted(info);
    } else {
        in_flight.outcome = Outcome::Completed;
    }
    drop(connection);
    drop(in_flight);
}

struct InPlace;

impl Strategy for InPlace {
    fn process_request(&self, _job: Job) -> Result<(), crate::job::Rejected> {
        unreachable!("the loop serves")
    }
}

impl Strategy for Box<dyn Strategy> {
    fn process_request(&self, job: Job) -> Result<(), crate::job::Rejected> {
        (**self).process_request(job)
    }

    fn server_close(&self, grace: Duration) {
        (**self).server_close(grace);
    }
}

impl Strategy for Arc<Threading> {
    fn process_request(&self, job: Job) -> Result<(), crate::job::Rejected> {
        (**self).process_request(job)
    }

    fn server_close(&self, grace: Duration) {
        (**self).server_close(grace);
    }
}

fn assert_books_balance(report: &DrainReport, server: &Server, clients: usize) {
    let cut = report.interrupted.len() + report.abandoned.len();
    let ended = report.completed + report.failed + report.refused + report.dropped;
    assert_eq!(report.running + report.accepted, ended + cut, "{report:?}");
    let stats = server.core.stats();
    assert_eq!(stats.active, 0);
    assert_eq!(
        stats.accepted, clients as u64,
        "somebody was left in the queue"
    );
    assert_eq!(stats.dropped, 0);
    let lost = |fate: &Fate| *fate == Fate::Dropped;
    assert!(!server.ledger.fates(clients).iter().any(lost));
}

fn threads() -> Option<Threading> {
    Some(Threading::new().max_threads(2).keep_alive(FOREVER))
}

fn stop_while_clients_come(strategy: Option<Threading>, handler: Handler) {
    const CLIENTS: usize = 3;
    let server = Server::new(strategy, handler, SOME_TIME);
    let arrivals = {
        let server = server.clone();
        thread::spawn(move || server.connect(CLIENTS))
    };
    let stoppers = [server.stopper(), server.stopper()];
    server.serve_forever();
    // Whoever comes after the close is refused by the system, which is not modelled.
    arrivals.join().expect("all have come");
    let report = server.close();
    assert_books_balance(&report, &server, CLIENTS);
    for stopper in stoppers {
        stopper.join().expect("it never waits");
    }
}

/// Whoever comes before the close is served, also those whom a stop leaves in the queue; the report has them
/// all.
pub fn everybody_is_served_in_threads() {
    stop_while_clients_come(threads(), at_once);
}

pub fn everybody_is_served_in_the_loop() {
    stop_while_clients_come(None, at_once);
}

/// Handlers wait for clients that never say anything: the stop cuts them off.
pub fn idle_clients_of_threads_are_cut_off() {
    stop_while_clients_come(threads(), read);
}

/// The same in the loop, where somebody has to watch, who may be asked for by the stop or by the loop.
pub fn an_idle_client_of_the_loop_is_cut_off() {
    let server = Server::new(None, read, SOME_TIME);
    server.connect(1);
    let stopper = server.stopper();
    server.serve_forever();
    stopper.join().expect("it never waits");
    let report = server.close();
    assert_books_balance(&report, &server, 1);
}

/// No thread can be had to watch: they are cut off at once.
pub fn without_a_thread_to_watch_there_is_no_grace() {
    let server = Server::new(None, read, FOREVER);
    thread::limit(Some(0));
    server.connect(1);
    let stopper = server.stopper();
    let core = Arc::clone(&server.core);
    server.serve_forever();
    stopper.join().expect("it never waits");
    assert!(core.wait_until_stopped(None));
}

/// Idle clients wait in the queue of a server that is being closed, and are served by the closing thread.
pub fn idle_clients_in_the_queue_are_cut_off() {
    let server = Server::new(None, read, SOME_TIME);
    server.connect(2);
    let report = server.close();
    assert_books_balance(&report, &server, 2);
}

/// Some of them are quick, and the closing thread may be at the next when the time is over.
pub fn clients_in_the_queue_come_and_go() {
    fn some_read(connection: &Connection) {
        use crate::request::LiveConnection;
        if connection.info().id().is_multiple_of(2) {
            connection.read();
        }
    }
    let server = Server::new(None, some_read, SOME_TIME);
    server.connect(3);
    let report = server.close();
    assert_books_balance(&report, &server, 3);
}

/// A strategy may have several loops, which share one wake-up: all of them leave, also if one was woken for
/// something else just then.
pub fn every_loop_hears_of_a_stop() {
    let server = Server::new(None, at_once, FOREVER);
    let serving = server.core.begin_serving(Run::Forever);
    let loops = [(); 2].map(|()| {
        let server = server.clone();
        thread::spawn(move || server.run_loop())
    });
    let waker = Arc::clone(&server.core);
    let other = thread::spawn(move || waker.waker.wake());
    let stopper = server.stopper();
    assert!(server.core.life.wait_for_stop(None));
    for thread in loops.into_iter().chain([other, stopper]) {
        thread.join().expect("it ends");
    }
    drop(serving);
    assert_eq!(server.core.life.phase(), Phase::Bound);
}

/// Whoever waits for running requests to end hears of the last one.
pub fn the_last_request_is_heard_of() {
    let server = Server::new(None, at_once, FOREVER);
    let requests = [(); 2].map(|()| {
        let in_flight = InFlight::begin(Arc::clone(&server.core));
        thread::spawn(move || drop(in_flight))
    });
    let waiting = {
        let core = Arc::clone(&server.core);
        thread::spawn(move || assert!(core.wait_until_idle(None)))
    };
    assert!(server.core.wait_until_idle(None));
    assert_eq!(server.core.active(), 0);
    for thread in requests.into_iter().chain([waiting]) {
        thread.join().expect("it ends");
    }
}

/// A server that serves again after a stop is ended by the next stop, not by the last one.
pub fn each_run_has_its_own_stop() {
    let server = Server::new(None, at_once, FOREVER);
    for run in 1..=2 {
        let stopper = server.stopper();
        let other = Arc::clone(&server.core);
        let waiting = thread::spawn(move || other.wait_until_stopped(None));
        if run == 2 {
            // One that comes between two runs is too late for the first; this one is remembered.
            server.core.request_stop_by_signal();
        }
        server.serve_forever();
        assert!(!server.core.is_stopping());
        stopper.join().expect("it never waits");
        assert!(waiting.join().expect("it hears of the end"));
        assert_eq!(server.core.life.ended_runs(), run);
    }
}

/// A lame duck serves on for a while, with or without a thread to wait with.
pub fn a_lame_duck_comes_to_its_end() {
    for limit in [None, Some(0)] {
        let server = Server::new(None, at_once, FOREVER);
        let lame_duck = SOME_TIME;
        server
            .core
            .life
            .change_patience(|patience| patience.lame_duck = lame_duck);
        server.connect(1);
        thread::limit(limit);
        let stoppers = [server.stopper(), server.stopper()];
        server.serve_forever();
        for stopper in stoppers {
            stopper.join().expect("it never waits");
        }
        thread::limit(None);
        let report = server.close();
        assert_eq!(server.core.stats().accepted, 1);
        assert_eq!(report.abandoned.len(), 0);
    }
}
