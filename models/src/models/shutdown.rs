//! Models of a server from its first run to its close: `ServerState` and `DrainOnDrop`.

use std::borrow::Borrow;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::job::{Job, Rejected};
use crate::models::accept_fds::AcceptFds;
use crate::models::connection::Connection;
use crate::models::ledger::{Outcome, SharedLedger};
use crate::models::{FOREVER, SOME_TIME};
use crate::server::{DrainReport, close};
use crate::state::counters::{self, RejectionReason};
use crate::state::life_cycle::RunKind;
use crate::state::limits::LimitConfig;
use crate::state::live_connection::LiveConnection;
use crate::state::{InFlight, Phase, ServerHandle, ServerState};
use crate::strategy::threading::Threading;
use crate::strategy::{AcceptWait, Ready, Scheduling, Strategy};

type Handler = fn(&Connection);

/// A handler that reads, although its client never sends anything.
fn read(connection: &Connection) {
    connection.read();
}

/// A handler that does not read.
fn do_nothing(_connection: &Connection) {
    thread::yield_now();
}

/// A server with an accept loop of its own, which has the steps of the real loop in their order.
#[derive(Clone)]
struct Server {
    handle: ServerHandle,
    strategy: ServerStrategy,
    ledger: SharedLedger,
    handler: Handler,
}

impl Server {
    fn new(strategy: ServerStrategy, handler: Handler, grace_period: Duration) -> Self {
        thread::limit(None);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let state = ServerState::new([address.into()].into(), LimitConfig::default());
        let state = state.expect("a model does not run out of resources");
        state.life_cycle.configure_shutdown(|config| {
            config.grace_period = grace_period;
            // A force-closed handler always ends, so that no request is abandoned.
            config.force_close_timeout = FOREVER;
        });
        Self {
            handle: ServerHandle(Arc::new(state)),
            strategy,
            ledger: SharedLedger::default(),
            handler,
        }
    }

    fn state(&self) -> &Arc<ServerState> {
        &self.handle.0
    }

    fn fds(&self) -> &AcceptFds {
        &self.state().waker.0
    }

    fn connect(&self, clients: usize) {
        (0..clients).for_each(|client| self.fds().connect(client));
    }

    fn spawn_stop(&self) -> JoinHandle<()> {
        let state = Arc::clone(self.state());
        thread::spawn(move || state.request_stop())
    }

    /// Returns a wait for the next request, without a timeout.
    fn wait(&self) -> AcceptWait<'_> {
        AcceptWait {
            fds: self.fds(),
            timeout: None,
            already_received: false,
            rejecting: false,
        }
    }

    fn wait_by_strategy(&self, wait: &AcceptWait<'_>) -> Ready {
        let ready = self.strategy.wait(wait);
        ready.expect("the wait has no errors")
    }

    fn serve_forever(&self) {
        let serving = self.state().begin_serving(RunKind::Forever);
        let _serving = serving.expect("no other run exists");
        self.run_loop();
    }

    fn run_loop(&self) {
        while !self.state().is_stopping() {
            match self.wait_by_strategy(&self.wait()) {
                Ready::Woken => self.state().acknowledge_wake(),
                Ready::Request if self.state().is_stopping() => {}
                Ready::Request => {
                    if let Some(client) = self.fds().accept() {
                        self.dispatch(client);
                    }
                }
                Ready::TimedOut => unreachable!("the wait has no timeout"),
            }
        }
    }

    /// Mirrors `server/dispatch.rs`. The transport makes the connection, so that comes first.
    fn dispatch(&self, client: usize) {
        let connection = Connection::new(&self.handle);
        let in_flight = InFlight::begin(self.state());
        let in_loop = self.state().connection_in_loop();
        let handler = self.handler;
        if let ServerStrategy::Inline = self.strategy {
            self.ledger.begin(client);
            serve(handler, connection, in_flight);
            self.ledger.end(client, Outcome::Ran);
            return;
        }
        drop(in_loop);
        let in_flight = in_flight.into_owned();
        let job = Job::new(client, &self.ledger, move || {
            serve(handler, connection, in_flight);
        });
        if let Err(rejected) = self.strategy.process_request(job) {
            rejected.close();
        }
    }

    /// Mirrors `server/backlog.rs`.
    fn drain_backlog(&self, deadline: Option<Instant>) {
        let _serving_backlog = self.state().serve_backlog();
        loop {
            let rejecting = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if !rejecting && !self.wait_for_capacity(deadline) {
                continue;
            }
            let Some(client) = self.fds().accept() else {
                break;
            };
            if rejecting {
                let counters = &self.state().counters;
                counters.count_rejected_on_accept(RejectionReason::Closing);
                self.ledger.end(client, Outcome::Rejected { failed: false });
            } else {
                self.dispatch(client);
            }
        }
    }

    /// Waits until the strategy has capacity. Returns `false` if the wait ended for another reason.
    fn wait_for_capacity(&self, deadline: Option<Instant>) -> bool {
        let wait = AcceptWait {
            timeout: deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
            already_received: true,
            ..self.wait()
        };
        let ready = self.wait_by_strategy(&wait);
        if ready == Ready::Woken {
            self.state().acknowledge_wake();
        }
        ready == Ready::Request
    }

    fn close(&self) -> DrainReport {
        let server = self.clone();
        let drain_backlog = move |deadline| server.drain_backlog(deadline);
        let report = close(&self.handle, self.strategy.clone(), drain_backlog);
        assert_eq!(self.state().life_cycle.phase(), Phase::Stopped);
        report
    }
}

/// Mirrors `job::serve`. Runs on a worker thread or in the accept loop.
fn serve<C: Borrow<Arc<ServerState>>>(
    handler: Handler,
    connection: Arc<Connection>,
    mut in_flight: InFlight<C>,
) {
    handler(&connection);
    let was_force_closed = connection.connection_state().end();
    in_flight.outcome = counters::Outcome::Completed;
    if was_force_closed {
        in_flight.record_force_closed(|| Some(connection.info()));
    }
    drop(connection);
    drop(in_flight);
}

#[derive(Clone)]
enum ServerStrategy {
    /// The accept loop serves the clients itself.
    Inline,
    Threads(Arc<Threading>),
}

impl ServerStrategy {
    fn threads() -> Self {
        let strategy = Threading::new().max_threads(2).keep_alive(FOREVER);
        Self::Threads(Arc::new(strategy))
    }
}

impl Strategy for ServerStrategy {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        match self {
            Self::Inline => unreachable!("the accept loop serves"),
            Self::Threads(strategy) => strategy.process_request(job),
        }
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> std::io::Result<Ready> {
        match self {
            Self::Inline => wait.for_request(),
            Self::Threads(strategy) => strategy.wait(wait),
        }
    }

    fn server_close(&self, timeout: Duration) {
        if let Self::Threads(strategy) = self {
            strategy.server_close(timeout);
        }
    }

    fn scheduling(&self) -> Scheduling<'_> {
        match self {
            Self::Inline => Scheduling::default(),
            Self::Threads(strategy) => strategy.scheduling(),
        }
    }
}

/// Asserts that each client was served or rejected, and that the report accounts for all of them.
fn assert_counts_add_up(report: &DrainReport, server: &Server, clients: usize) {
    let ended =
        report.completed + report.failed + report.disconnected + report.rejected + report.dropped;
    let listed = report.force_closed.len() + report.abandoned.len();
    assert_eq!(
        report.running + report.accepted,
        ended + listed,
        "{report:?}"
    );
    let stats = server.state().stats();
    assert_eq!(stats.active, 0);
    assert_eq!(stats.accepted, clients as u64, "the backlog must be empty");
    assert_eq!(stats.dropped, 0);
    let outcomes = server.ledger.outcomes(clients);
    assert!(!outcomes.contains(&Outcome::Dropped));
}

fn stop_while_clients_connect(strategy: ServerStrategy, handler: Handler) {
    const CLIENTS: usize = 3;
    let server = Server::new(strategy, handler, SOME_TIME);
    let clients = {
        let server = server.clone();
        thread::spawn(move || server.connect(CLIENTS))
    };
    let stops = [server.spawn_stop(), server.spawn_stop()];
    server.serve_forever();
    // The kernel rejects clients that connect after the close, which is not modelled.
    clients.join().expect("all clients connect");
    let report = server.close();
    assert_counts_add_up(&report, &server, CLIENTS);
    for stop in stops {
        stop.join().expect("a stop never waits");
    }
}

/// Clients connect before, during and after a stop. All of them are served or rejected, and counted.
pub fn all_clients_are_served_in_threads() {
    stop_while_clients_connect(ServerStrategy::threads(), do_nothing);
}

pub fn all_clients_are_served_inline() {
    stop_while_clients_connect(ServerStrategy::Inline, do_nothing);
}

/// The close force-closes the connections for which handlers wait.
pub fn idle_clients_of_threads_are_force_closed() {
    stop_while_clients_connect(ServerStrategy::threads(), read);
}

/// The handler runs in the accept loop. The stop or the loop starts the thread that force-closes.
pub fn an_idle_inline_client_is_force_closed() {
    let server = Server::new(ServerStrategy::Inline, read, SOME_TIME);
    server.connect(1);
    let stop = server.spawn_stop();
    server.serve_forever();
    stop.join().expect("a stop never waits");
    let report = server.close();
    assert_counts_add_up(&report, &server, 1);
}

/// The stop comes before, while or after the handler begins to wait. The grace period does not end the wait.
pub fn a_stop_ends_the_wait_for_a_message() {
    let server = Server::new(
        ServerStrategy::Inline,
        Connection::wait_for_message,
        FOREVER,
    );
    server.connect(1);
    let stop = server.spawn_stop();
    server.serve_forever();
    stop.join().expect("a stop never waits");
    let report = server.close();
    assert_eq!(report.force_closed.len(), 0);
    assert_counts_add_up(&report, &server, 1);
}

/// No thread can be started to watch the grace period. Connections are force-closed at once.
pub fn without_a_thread_there_is_no_grace_period() {
    let server = Server::new(ServerStrategy::Inline, read, FOREVER);
    thread::limit(Some(0));
    server.connect(1);
    let stop = server.spawn_stop();
    server.serve_forever();
    stop.join().expect("a stop never waits");
    assert!(server.state().wait_until_stopped(None));
}

/// The closing thread serves idle clients of the backlog.
pub fn idle_clients_in_the_backlog_are_force_closed() {
    let server = Server::new(ServerStrategy::Inline, read, SOME_TIME);
    server.connect(2);
    let report = server.close();
    assert_counts_add_up(&report, &server, 2);
}

/// Some clients of the backlog are not idle, so that the closing thread may accept the next client when the
/// grace period expires.
pub fn the_grace_period_expires_between_clients_in_the_backlog() {
    fn read_every_other(connection: &Connection) {
        if connection.info().id().is_multiple_of(2) {
            connection.read();
        }
    }
    let server = Server::new(ServerStrategy::Inline, read_every_other, SOME_TIME);
    server.connect(3);
    let report = server.close();
    assert_counts_add_up(&report, &server, 3);
}

/// Two accept loops share one waker. A stop ends both, also if another wake-up comes at the same time.
pub fn a_stop_ends_every_loop() {
    let server = Server::new(ServerStrategy::Inline, do_nothing, FOREVER);
    let serving = server.state().begin_serving(RunKind::Forever);
    let loops = [(); 2].map(|()| {
        let server = server.clone();
        thread::spawn(move || server.run_loop())
    });
    let state = Arc::clone(server.state());
    let wake = thread::spawn(move || state.waker.wake());
    let stop = server.spawn_stop();
    assert!(server.state().life_cycle.wait_until_stopping(None));
    for thread in loops.into_iter().chain([wake, stop]) {
        thread.join().expect("the thread does not panic");
    }
    drop(serving);
    assert_eq!(server.state().life_cycle.phase(), Phase::Bound);
}

/// Two threads wait for the running requests to end.
pub fn the_end_of_the_last_request_wakes_waiters() {
    let server = Server::new(ServerStrategy::Inline, do_nothing, FOREVER);
    let requests = [(); 2].map(|()| {
        let in_flight = InFlight::begin(Arc::clone(server.state()));
        thread::spawn(move || drop(in_flight))
    });
    let waiter = {
        let state = Arc::clone(server.state());
        thread::spawn(move || assert!(state.wait_until_idle(None)))
    };
    assert!(server.state().wait_until_idle(None));
    assert_eq!(server.state().active(), 0);
    for thread in requests.into_iter().chain([waiter]) {
        thread.join().expect("the thread does not panic");
    }
}

/// A server serves twice. Each stop ends its own run.
pub fn each_run_has_its_own_stop() {
    let server = Server::new(ServerStrategy::Inline, do_nothing, FOREVER);
    for run in 1..=2 {
        let stop = server.spawn_stop();
        let state = Arc::clone(server.state());
        let waiter = thread::spawn(move || state.wait_until_stopped(None));
        if run == 2 {
            // A stop between two runs is ignored, unless it comes from a signal.
            server.state().request_stop_by_signal();
        }
        server.serve_forever();
        assert!(!server.state().is_stopping());
        stop.join().expect("a stop never waits");
        assert!(waiter.join().expect("the end of the run is notified"));
        assert_eq!(server.state().life_cycle.ended_runs(), run);
    }
}

/// A lame duck serves until its time expires, or stops at once if no thread can be started to wait for that.
pub fn a_lame_duck_stops() {
    for thread_limit in [None, Some(0)] {
        let server = Server::new(ServerStrategy::Inline, do_nothing, FOREVER);
        let life_cycle = &server.state().life_cycle;
        life_cycle.configure_shutdown(|config| config.lame_duck = SOME_TIME);
        server.connect(1);
        thread::limit(thread_limit);
        let stops = [server.spawn_stop(), server.spawn_stop()];
        server.serve_forever();
        for stop in stops {
            stop.join().expect("a stop never waits");
        }
        thread::limit(None);
        let report = server.close();
        assert_eq!(server.state().stats().accepted, 1);
        assert_eq!(report.abandoned.len(), 0);
    }
}
