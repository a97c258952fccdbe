//! A server in a process of its own. A test can therefore limit its descriptors or send it signals without
//! affecting itself.

use std::fmt;
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use socketserver::transport::Tcp;
use socketserver::{
    Request, Sequential, Server, ServerOptions, Service, Stats, Strategy, TcpRequest,
};

use crate::support::alone::{is_kind_alone, start};
use crate::support::kinds::Kind;
use crate::support::net::*;
use crate::support::process::Program;

/// Handle of a test on the server process.
pub(crate) struct Served {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
}

/// The counters of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) disconnected: u64,
    pub(crate) force_closed: u64,
    pub(crate) rejected: u64,
    pub(crate) dropped: u64,
    pub(crate) active: u64,
    /// Number of the `rejected` connections for which there was no descriptor.
    pub(crate) without_descriptor: u64,
    /// 1 if the server has ever backed off for lack of a resource, otherwise 0. A flag, because the number
    /// of attempts depends on timing.
    pub(crate) backed_off: u64,
}

impl From<Stats> for Counts {
    fn from(stats: Stats) -> Self {
        Self {
            accepted: stats.accepted,
            completed: stats.completed,
            failed: stats.failed,
            disconnected: stats.disconnected,
            force_closed: stats.force_closed,
            rejected: stats.rejected,
            dropped: stats.dropped,
            active: stats.active,
            without_descriptor: stats.rejected_by.descriptors,
            backed_off: u64::from(stats.accept_errors.backed_off > 0),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = [self.completed, self.failed, self.disconnected];
        write!(
            f,
            "counts: {} {ended:?} {} ",
            self.accepted, self.force_closed
        )?;
        let others = [self.rejected, self.dropped, self.active];
        write!(
            f,
            "{others:?} {} {}",
            self.without_descriptor, self.backed_off
        )
    }
}

impl Counts {
    fn read(line: &str) -> Option<Self> {
        let numbers = line.strip_prefix("counts: ")?;
        let mut numbers = numbers
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok());
        let mut next = || numbers.next();
        Some(Self {
            accepted: next()?,
            completed: next()?,
            failed: next()?,
            disconnected: next()?,
            force_closed: next()?,
            rejected: next()?,
            dropped: next()?,
            active: next()?,
            without_descriptor: next()?,
            backed_off: next()?,
        })
    }
}

impl Served {
    /// Starts the process of the test that `check` and `kind` name, as in
    /// [`alone`](crate::support::alone::alone). In that process, runs `serve` to its end and returns
    /// `None`.
    pub(crate) fn start(check: &str, kind: Kind, serve: impl FnOnce()) -> Option<Self> {
        if is_kind_alone(check, kind) {
            serve();
            return None;
        }
        let mut program = start(check, kind);
        program.wait_for_text("\nlistening on ");
        let address = program.line().parse().unwrap();
        Some(Self { program, address })
    }

    pub(crate) fn client(&self) -> Client {
        Tcp::connect(&self.address)
    }

    /// Returns the current counters.
    pub(crate) fn counts(&mut self) -> Counts {
        self.program.type_in("?\n");
        Counts::read(&self.program.line()).expect("counts")
    }

    /// Waits until so many requests have completed, because the stop gives them a short grace period only.
    #[track_caller]
    pub(crate) fn wait_for_completed(&mut self, completed: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.counts().completed < completed {
            assert!(Instant::now() < deadline, "{:?}", self.counts());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops the server. Returns its final counters.
    pub(crate) fn stop(self) -> Counts {
        let ended = self.program.finish();
        assert!(ended.status.success(), "{}", ended.stderr);
        let counts = ended.text().lines().rev().find_map(Counts::read);
        counts.expect("the last counts")
    }
}

/// Serves until the standard input ends. Prints the counters for each line of input.
pub(crate) fn serve<S: Service<TcpRequest>>(
    service: S,
    strategy: impl Strategy,
    options: impl FnOnce(ServerOptions<Tcp, S, Sequential>) -> ServerOptions<Tcp, S, Sequential>,
) {
    let server = options(Server::options()).bind(LOOPBACK, service).unwrap();
    let server = server
        .strategy(strategy)
        .grace_period(Duration::from_millis(100));
    // On a busy machine, a handler may need time to notice that its connection was force-closed.
    let server = server.force_close_timeout(PATIENCE / 2);
    let server = server.spawn().unwrap();
    println!("\nlistening on {}", server.server_address());
    for line in io::stdin().lock().lines() {
        line.unwrap();
        println!("{}", Counts::from(server.stats()));
    }
    let handle = server.handle();
    server.stop().unwrap();
    println!("\n{}", Counts::from(handle.stats()));
}

/// Service that sends all received data back.
pub(crate) fn echo<R: Request>() -> Hooks<R> {
    Hooks::new(|request: &mut R| {
        loop {
            let data = request.recv(64 * 1024)?;
            if data.is_empty() {
                return Ok(());
            }
            request.send_all(&data)?;
        }
    })
}
