//! Clients that keep a server waiting, in every way there is, and a server that is to stop: it leaves
//! when the grace period is over, takes everything with it, and until then serves the others.
//!
//! Each test has a process to itself, so that what is left can be counted.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};
use socketserver::transport::Tcp;
use socketserver::{Request, RunningServer, Sequential, Server, Strategy, TcpRequest};

use crate::support::alone::{alone, test_name};
use crate::support::census::Census;
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;
use crate::support::process::Program;

by_kind!(a_stop, a_drop, a_signal, a_handler_that_does_not_notice);

const GRACE: Duration = Duration::from_millis(100);

/// What a stop may take beyond the grace period: the promise.
const BEYOND: Duration = Duration::from_millis(200);

// ---- the clients ----

/// How a client keeps its handler waiting, or leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stall {
    /// It says nothing.
    Silent,
    /// It has asked, has its answer, and says nothing more.
    Idle,
    /// It sends a byte now and then, of a line that never ends.
    Dribbles,
    /// It asks and asks, and does not read the answers.
    NeverReads,
    /// The same, and it will ask no more.
    HalfCloses,
    ResetsBeforeTheFirstByte,
    ResetsInAMessage,
    ResetsAfterTheQuestion,
    ResetsWhileBeingAnswered,
}

impl Stall {
    const ALL: [Self; 9] = [
        Self::Silent,
        Self::Idle,
        Self::Dribbles,
        Self::NeverReads,
        Self::HalfCloses,
        Self::ResetsBeforeTheFirstByte,
        Self::ResetsInAMessage,
        Self::ResetsAfterTheQuestion,
        Self::ResetsWhileBeingAnswered,
    ];

    /// Whether its handler waits until it is cut off.
    fn lasts(self) -> bool {
        matches!(
            self,
            Self::Silent | Self::Idle | Self::Dribbles | Self::NeverReads | Self::HalfCloses
        )
    }

    /// A client that is there by now.
    fn begin(self, address: &SocketAddr) -> Stalled {
        let client = connect(address);
        let mut dribbling = None;
        match self {
            Self::Silent | Self::ResetsBeforeTheFirstByte => {}
            Self::Idle => assert_eq!(client.ask("hello\n"), "hello\n"),
            Self::Dribbles => dribbling = Some(Dribbling::start(&client)),
            Self::NeverReads | Self::ResetsWhileBeingAnswered => ask_in_vain(&client),
            Self::HalfCloses => {
                ask_in_vain(&client);
                client.finish();
            }
            Self::ResetsInAMessage => client.send("hel"),
            Self::ResetsAfterTheQuestion => client.send("hello\n"),
        }
        if !self.lasts() {
            // Not by closing it: a child of this process would still have its copy.
            rustix::net::connect_unspec(&*client.socket()).unwrap();
        }
        Stalled {
            client: self.lasts().then_some(client),
            _dribbling: dribbling,
        }
    }
}

/// A client on its way through a stall; one that was to reset the connection has.
struct Stalled {
    client: Option<Client>,
    _dribbling: Option<Dribbling>,
}

/// A connection with small buffers, which are full soon.
fn connect(address: &SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    socket.connect(&(*address).into()).unwrap();
    Client::new(socket)
}

/// Sends lines until there is no room for more, as there is not when the server waits to answer.
fn ask_in_vain(client: &Client) {
    let short = Some(Duration::from_millis(50));
    client.socket().set_write_timeout(short).unwrap();
    let line = "x".repeat(1023) + "\n";
    let stuck = loop {
        if let Err(error) = client.try_send(&line) {
            break error;
        }
    };
    assert_eq!(stuck.kind(), io::ErrorKind::WouldBlock);
}

/// Sends a byte now and then, until it is dropped or the connection is over.
struct Dribbling {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Dribbling {
    fn start(client: &Client) -> Self {
        let socket = client.socket().try_clone().unwrap();
        let done = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&done);
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) && (&socket).write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        Self {
            done,
            thread: Some(thread),
        }
    }
}

impl Drop for Dribbling {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Checks that somebody else is served, where that is promised.
#[track_caller]
fn others_are_served(kind: Kind, stall: Stall, address: &SocketAddr) {
    if kind.serves_several() || !stall.lasts() {
        let client = Tcp::connect(address);
        assert_eq!(client.ask("hello\n"), "hello\n", "beside one: {stall:?}");
        client.finish();
        client.expect_end();
    }
}

/// Whether the client of a stall saw the end, of whichever kind: who does not read may be reset.
#[track_caller]
fn expect_cut(stalled: &Stalled) {
    if let Some(client) = &stalled.client {
        loop {
            match client.try_receive() {
                Ok(data) if data.is_empty() => break,
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                    break;
                }
            }
        }
    }
}

// ---- time ----

/// Runs `stop` for each stall, which tells how long it took. The promise is a time, and the machine may
/// be busy with other tests, so one of three attempts has to keep it. What else is promised holds for
/// each.
fn within_the_grace_period(grace: Duration, stop: impl Fn(Stall) -> Duration) {
    for stall in Stall::ALL {
        let mut took = Vec::new();
        loop {
            took.push(stop(stall));
            if took.last().unwrap() <= &(grace + BEYOND) {
                break;
            }
            assert!(took.len() < 3, "{stall:?}: {took:?}");
        }
    }
}

// ---- a server of this process ----

/// What this process has.
fn all() -> (Census, BTreeSet<String>) {
    (Census::now(), children_of("self"))
}

fn children_of(process: &str) -> BTreeSet<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let children = threads.flatten().flat_map(|thread| {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        let children = children.split_whitespace().map(str::to_owned);
        children.collect::<Vec<_>>()
    });
    children.collect()
}

type Running = RunningServer<Tcp, Hooks<TcpRequest>, Box<dyn Strategy>>;

/// Stops a server that a client keeps waiting, and checks that nothing is left of it.
fn stop_by(kind: Kind, stop: fn(Running), stall: Stall) -> Duration {
    let before = all();
    let took = {
        let server = Server::<Tcp, _, Sequential>::bind(LOOPBACK, Hooks::echo()).unwrap();
        let server = server.strategy(kind.strategy()).grace_period(GRACE);
        let server = server.spawn().unwrap();
        let (address, handle) = (*server.server_address(), server.handle());
        let stalled = stall.begin(&address);
        others_are_served(kind, stall, &address);
        eventually("it is accepted", || handle.stats().accepted > 0);

        let start = Instant::now();
        in_time(move || stop(server));
        let took = start.elapsed();
        expect_cut(&stalled);
        let refused = Tcp::try_connect(&address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        // On a busy machine a handler that was cut off can need longer than it is waited for.
        eventually("its handler ends", || handle.stats().active == 0);
        let stats = handle.stats();
        let ended = stats.completed + stats.failed + stats.force_closed + stats.rejected;
        assert_eq!(stats.accepted, ended + stats.dropped, "{stats:?}");
        assert_eq!(
            stats.force_closed,
            u64::from(stall.lasts()),
            "{stall:?}: {stats:?}"
        );
        took
    };
    // Threads end a moment after the last that can be seen of them.
    let deadline = Instant::now() + PATIENCE;
    while all() != before && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(all(), before, "{stall:?}: something is left");
    took
}

/// A first server has what the process keeps: where children are heard from.
fn warm_up(kind: Kind) {
    let threads = Census::now().threads;
    let host = host_by::<Tcp, _, _>(kind.strategy(), || LineEcho);
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    host.stop();
    eventually("its threads end", || Census::now().threads == threads);
}

fn a_stop(kind: Kind) {
    fn stop(server: Running) {
        server.stop().unwrap();
    }

    alone(test_name!("a_stop"), kind, || {
        warm_up(kind);
        within_the_grace_period(GRACE, |stall| stop_by(kind, stop, stall));
    });
}

fn a_drop(kind: Kind) {
    alone(test_name!("a_drop"), kind, || {
        warm_up(kind);
        within_the_grace_period(GRACE, |stall| stop_by(kind, drop, stall));
    });
}

/// One that neither reads nor writes cannot be cut off: it is left behind. (A child is killed.)
fn a_handler_that_does_not_notice(kind: Kind) {
    alone(test_name!("a_handler_that_does_not_notice"), kind, || {
        let attempt = || {
            let gate = Gate::default();
            let service = Hooks::new({
                let gate = gate.clone();
                move |request: &mut TcpRequest| {
                    let line = request.readline(100)?;
                    request.send_all(&line)?;
                    if line == b"wait\n" {
                        gate.pass();
                    }
                    Ok(())
                }
            });
            let server = Server::<Tcp, _, Sequential>::bind(LOOPBACK, service).unwrap();
            let server = server.strategy(kind.strategy()).grace_period(GRACE);
            let server = server.spawn().unwrap();
            let handle = server.handle();
            let client = Tcp::connect(server.server_address());
            assert_eq!(client.ask("wait\n"), "wait\n");
            let start = Instant::now();
            let report = in_time(move || server.stop()).unwrap();
            let took = start.elapsed();
            let left = (report.force_closed.len(), report.abandoned.len());
            let expected = if kind == Kind::Forking {
                (1, 0)
            } else {
                (0, 1)
            };
            assert_eq!(left, expected, "{report}");
            gate.open();
            eventually("it ends", || handle.stats().active == 0);
            took
        };
        // As above: a time, and a busy machine.
        let took = [(); 3].map(|()| attempt());
        assert!(took.iter().any(|took| *took <= GRACE + BEYOND), "{took:?}");
    });
}

// ---- a program ----

/// SIGTERM ends the example.
fn a_signal(kind: Kind) {
    within_the_grace_period(GRACE, |stall| {
        let arguments = ["--port", "0", "--grace", "0.1", "--strategy", kind.name()];
        let mut program = Program::example("echo_server", &arguments);
        let address = program.address();
        let descriptors = format!("/proc/{}/fd", program.id());
        let descriptors = || fs::read_dir(&descriptors).unwrap().count();
        let before = descriptors();
        let stalled = stall.begin(&address);
        others_are_served(kind, stall, &address);
        if kind == Kind::Sequential && stall.lasts() {
            // Nobody else's answer says that it was taken in.
            eventually("it is accepted", || descriptors() > before);
        }
        let children = children_of(&program.id().to_string());

        let start = Instant::now();
        program.signal(Signal::SIGTERM);
        let ended = program.finish();
        let took = start.elapsed();
        assert!(ended.status.success(), "{stall:?}: {}", ended.status);
        expect_cut(&stalled);
        let last = ended.text().lines().last().unwrap();
        assert!(last.starts_with("drained: "), "{last}");
        let cut = format!("{} force-closed, 0 abandoned", u8::from(stall.lasts()));
        assert!(last.contains(&cut), "{stall:?}: {last}");
        // Those that are not collected yet by whoever inherits them are gone all the same.
        for child in children {
            let stat = fs::read_to_string(format!("/proc/{child}/stat"));
            let is_there = stat.is_ok_and(|stat| !stat.contains(") Z "));
            assert!(!is_there, "{stall:?}: a child is left");
        }
        took
    });
}
