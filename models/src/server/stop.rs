//! Models of a server from its first run to its close: `ServerState`, `DrainOnDrop` and their life cycle.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::address::SocketAddress;
use crate::job::{Job, Rejected};
use crate::ledger::{Outcome as JobOutcome, SharedLedger};
use crate::request::Connection;
use crate::server::DrainReport;
use crate::server::drain::{DrainBacklog, DrainOnDrop};
use crate::state::counters::{Outcome, RejectionReason};
use crate::state::life_cycle::RunKind;
use crate::state::limits::LimitConfig;
use crate::state::{InFlight, Phase, ServerHandle, ServerState};
use crate::strategy::threading::Threading;
use crate::strategy::{AcceptWait, Ready, Strategy};
use crate::{FOREVER, SOME_TIME};

/// The handler of a connection.
type Handler = fn(&Connection);

/// A handler that waits for a silent client.
fn read(connection: &Connection) {
    connection.read();
}

/// A handler that only lets other threads run.
fn at_once(_connection: &Connection) {
    thread::yield_now();
}

/// A server whose clients are numbers.
#[derive(Clone)]
struct Server {
    state: Arc<ServerState>,
    /// `None`: the accept loop serves inline.
    strategy: Option<Arc<Threading>>,
    ledger: SharedLedger,
    handler: Handler,
}

impl Server {
    fn new(strategy: Option<Threading>, handler: Handler, grace_period: Duration) -> Self {
        thread::limit(None);
        let state = Arc::new(
            ServerState::new(SocketAddress::Server, LimitConfig::default())
                .expect("the model has all resources"),
        );
        state.life_cycle.configure_shutdown(|config| {
            config.grace_period = grace_period;
            // Force-closed requests end in the models, so none is abandoned.
            config.force_close_timeout = FOREVER;
        });
        Self {
            state,
            strategy: strategy.map(Arc::new),
            ledger: SharedLedger::default(),
            handler,
        }
    }

    fn connect(&self, clients: usize) {
        (0..clients).for_each(|client| self.state.waker.0.connect(client));
    }

    fn stopper(&self) -> JoinHandle<()> {
        let state = Arc::clone(&self.state);
        thread::spawn(move || state.request_stop())
    }

    fn wait(&self, already_received: bool) -> Ready {
        let fds = &self.state.waker.0;
        let wait = AcceptWait {
            fds,
            already_received,
            rejecting: false,
        };
        let ready = match &self.strategy {
            Some(strategy) => strategy.wait(&wait),
            None => wait.for_request(),
        };
        ready.expect("waiting works")
    }

    /// The accept loop.
    fn serve_forever(&self) {
        let _serving = self
            .state
            .begin_serving(RunKind::Forever)
            .expect("no other run");
        self.run_loop();
    }

    fn run_loop(&self) {
        while !self.state.is_stopping() {
            match self.wait(false) {
                Ready::Woken => self.state.acknowledge_wake(),
                Ready::Request if self.state.is_stopping() => {}
                Ready::Request => {
                    if let Some(client) = self.state.waker.0.accept() {
                        self.process_request(client);
                    }
                }
            }
        }
    }

    /// The steps of `server/dispatch.rs`. The connection is made first, as a transport does.
    fn process_request(&self, client: usize) {
        let connection = Connection::new(&self.state);
        let in_flight = InFlight::begin(&self.state);
        let in_loop = self.state.connection_in_loop();
        let Some(strategy) = &self.strategy else {
            self.ledger.begin(client);
            serve(self.handler, connection, in_flight);
            self.ledger.end(client, JobOutcome::Ran);
            return;
        };
        drop(in_loop);
        let (handler, in_flight) = (self.handler, in_flight.into_owned());
        let job = Job::new(client, &self.ledger, move || {
            serve(handler, connection, in_flight);
        });
        if let Err(rejected) = strategy.process_request(job) {
            rejected.close();
        }
    }

    /// The steps of `server/backlog.rs`.
    fn drain_backlog(&self, deadline: Option<Instant>) {
        let _drains = self.state.serve_backlog();
        loop {
            let rejecting = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if !rejecting && self.wait(true) == Ready::Woken {
                self.state.acknowledge_wake();
                continue;
            }
            let Some(client) = self.state.waker.0.accept() else {
                break;
            };
            if rejecting {
                let mut in_flight = InFlight::begin(&self.state);
                in_flight.outcome = Outcome::Rejected(RejectionReason::Closing);
                drop(in_flight);
                self.ledger
                    .end(client, JobOutcome::Rejected { failed: false });
            } else {
                self.process_request(client);
            }
        }
    }

    fn close(&self) -> DrainReport {
        let handle = ServerHandle(Arc::clone(&self.state));
        let own = self.clone();
        let finish: DrainBacklog = Box::new(move |_, _, deadline| own.drain_backlog(deadline));
        let strategy: Box<dyn Strategy> = match &self.strategy {
            Some(strategy) => Box::new(Arc::clone(strategy)),
            None => Box::new(Inline),
        };
        let report = DrainOnDrop::new(&handle, strategy, finish).drain();
        assert_eq!(self.state.life_cycle.phase(), Phase::Stopped);
        report
    }
}

/// Serves a request, in a thread or in the accept loop.
fn serve<C: std::borrow::Borrow<Arc<ServerState>>>(
    handler: Handler,
    connection: Arc<Connection>,
    mut in_flight: InFlight<C>,
) {
    handler(&connection);
    if connection.end() {
        let info = || Some(connection.info());
        in_flight.record_force_closed(info);
    } else {
        in_flight.outcome = Outcome::Completed;
    }
    drop(connection);
    drop(in_flight);
}

struct Inline;

impl Strategy for Inline {
    fn process_request(&self, _job: Job) -> Result<(), Rejected> {
        unreachable!("the loop serves")
    }
}

impl Strategy for Box<dyn Strategy> {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        (**self).process_request(job)
    }

    fn server_close(&self, timeout: Duration) {
        (**self).server_close(timeout);
    }
}

impl Strategy for Arc<Threading> {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        (**self).process_request(job)
    }

    fn server_close(&self, timeout: Duration) {
        (**self).server_close(timeout);
    }
}

fn assert_counts_add_up(report: &DrainReport, server: &Server, clients: usize) {
    let cut = report.force_closed.len() + report.abandoned.len();
    let ended = report.completed + report.failed + report.rejected + report.dropped;
    assert_eq!(report.running + report.accepted, ended + cut, "{report:?}");
    let stats = server.state.stats();
    assert_eq!(stats.active, 0);
    assert_eq!(
        stats.accepted, clients as u64,
        "a client was left in the backlog"
    );
    assert_eq!(stats.dropped, 0);
    let lost = |outcome: &JobOutcome| *outcome == JobOutcome::Dropped;
    assert!(!server.ledger.outcomes(clients).iter().any(lost));
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
    // Clients that connect after the close are rejected by the system, which is not modelled.
    arrivals.join().expect("all have come");
    let report = server.close();
    assert_counts_add_up(&report, &server, CLIENTS);
    for stopper in stoppers {
        stopper.join().expect("it never waits");
    }
}

/// Every client that connects before the close is served, also those that a stop leaves in the backlog. The
/// report has all of them.
pub fn every_client_is_served_in_threads() {
    stop_while_clients_come(threads(), at_once);
}

pub fn every_client_is_served_in_the_loop() {
    stop_while_clients_come(None, at_once);
}

/// Handlers wait for silent clients until the stop force-closes them.
pub fn idle_clients_of_threads_are_force_closed() {
    stop_while_clients_come(threads(), read);
}

/// A handler in the accept loop needs a thread that watches the grace period. The stop or the loop starts it.
pub fn an_idle_client_of_the_loop_is_force_closed() {
    let server = Server::new(None, read, SOME_TIME);
    server.connect(1);
    let stopper = server.stopper();
    server.serve_forever();
    stopper.join().expect("it never waits");
    let report = server.close();
    assert_counts_add_up(&report, &server, 1);
}

/// Without a thread that watches, connections are force-closed at once.
pub fn without_a_thread_to_watch_there_is_no_grace_period() {
    let server = Server::new(None, read, FOREVER);
    thread::limit(Some(0));
    server.connect(1);
    let stopper = server.stopper();
    let state = Arc::clone(&server.state);
    server.serve_forever();
    stopper.join().expect("it never waits");
    assert!(state.wait_until_stopped(None));
}

/// The closing thread serves idle clients in the backlog.
pub fn idle_clients_in_the_backlog_are_force_closed() {
    let server = Server::new(None, read, SOME_TIME);
    server.connect(2);
    let report = server.close();
    assert_counts_add_up(&report, &server, 2);
}

/// Some handlers end at once, so the closing thread may be at the next client when the grace period expires.
pub fn clients_in_the_backlog_come_and_go() {
    fn some_read(connection: &Connection) {
        if connection.info().id().is_multiple_of(2) {
            connection.read();
        }
    }
    let server = Server::new(None, some_read, SOME_TIME);
    server.connect(3);
    let report = server.close();
    assert_counts_add_up(&report, &server, 3);
}

/// Several accept loops share one waker: all of them leave, also if one was woken for another reason at the
/// same moment.
pub fn every_loop_notices_a_stop() {
    let server = Server::new(None, at_once, FOREVER);
    let serving = server.state.begin_serving(RunKind::Forever);
    let loops = [(); 2].map(|()| {
        let server = server.clone();
        thread::spawn(move || server.run_loop())
    });
    let waker = Arc::clone(&server.state);
    let other = thread::spawn(move || waker.waker.wake());
    let stopper = server.stopper();
    assert!(server.state.life_cycle.wait_for_stop(None));
    for thread in loops.into_iter().chain([other, stopper]) {
        thread.join().expect("it ends");
    }
    drop(serving);
    assert_eq!(server.state.life_cycle.phase(), Phase::Bound);
}

/// A wait for running requests ends with the last one.
pub fn the_end_of_the_last_request_wakes_its_waiters() {
    let server = Server::new(None, at_once, FOREVER);
    let requests = [(); 2].map(|()| {
        let in_flight = InFlight::begin(Arc::clone(&server.state));
        thread::spawn(move || drop(in_flight))
    });
    let waiting = {
        let state = Arc::clone(&server.state);
        thread::spawn(move || assert!(state.wait_until_idle(None)))
    };
    assert!(server.state.wait_until_idle(None));
    assert_eq!(server.state.active(), 0);
    for thread in requests.into_iter().chain([waiting]) {
        thread.join().expect("it ends");
    }
}

/// A server that serves again after a stop is ended by the next stop, not by the last one.
pub fn each_run_has_its_own_stop() {
    let server = Server::new(None, at_once, FOREVER);
    for run in 1..=2 {
        let stopper = server.stopper();
        let other = Arc::clone(&server.state);
        let waiting = thread::spawn(move || other.wait_until_stopped(None));
        if run == 2 {
            // A stop by a signal between two runs is remembered for the next.
            server.state.request_stop_by_signal();
        }
        server.serve_forever();
        assert!(!server.state.is_stopping());
        stopper.join().expect("it never waits");
        assert!(waiting.join().expect("it hears of the end"));
        assert_eq!(server.state.life_cycle.ended_runs(), run);
    }
}

/// A lame duck stops when its time expires, also without a thread that waits for this.
pub fn a_lame_duck_comes_to_its_end() {
    for limit in [None, Some(0)] {
        let server = Server::new(None, at_once, FOREVER);
        let lame_duck = SOME_TIME;
        server
            .state
            .life_cycle
            .configure_shutdown(|config| config.lame_duck = lame_duck);
        server.connect(1);
        thread::limit(limit);
        let stoppers = [server.stopper(), server.stopper()];
        server.serve_forever();
        for stopper in stoppers {
            stopper.join().expect("it never waits");
        }
        thread::limit(None);
        let report = server.close();
        assert_eq!(server.state.stats().accepted, 1);
        assert_eq!(report.abandoned.len(), 0);
    }
}
