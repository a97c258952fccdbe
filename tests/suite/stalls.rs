//! Stops of a server while a client stalls its handler. The server serves other clients until the stop, ends soon
//! after the grace period, and leaves no thread, descriptor or child process.
//!
//! Each test has a process of its own, so that remaining resources can be counted.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[cfg(unix)]
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};
use socketserver::transport::Tcp;
use socketserver::{Request, RunningServer, Sequential, Server, Strategy, TcpRequest};

use crate::support::alone::{alone, test_name};
use crate::support::census::Census;
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;
use crate::support::process::Program;

by_kind!(a_stop, a_drop, a_signal, a_handler_that_ignores_the_stop);

const GRACE: Duration = Duration::from_millis(100);

/// Documented limit of the time from the end of the grace period to the end of a stop.
const BEYOND: Duration = Duration::from_millis(200);

// ---- the clients ----

/// Ways of a client to keep its handler waiting, or to reset its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stall {
    /// Sends nothing.
    Silent,
    /// Sends nothing after its first answer.
    Idle,
    /// Sends a line byte by byte and never ends it.
    Dribbles,
    /// Sends requests and does not read the answers.
    NeverReads,
    /// Sends requests, shuts down its sending side, and does not read the answers.
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

    /// Returns whether the handler waits until it is force-closed.
    fn lasts(self) -> bool {
        matches!(
            self,
            Self::Silent | Self::Idle | Self::Dribbles | Self::NeverReads | Self::HalfCloses
        )
    }

    /// Returns whether a handler can end by itself that reads the first line after all of them were sent: the end of
    /// the input follows them, and the answers may then fit into the socket buffers.
    fn may_end(self) -> bool {
        self == Self::HalfCloses
    }

    /// Connects a client and brings it to the stall.
    fn begin(self, address: &SocketAddr) -> Stalled {
        let client = connect(address);
        let mut dribbling = None;
        match self {
            Self::Silent | Self::ResetsBeforeTheFirstByte => {}
            Self::Idle => assert_eq!(client.ask("hello\n"), "hello\n"),
            Self::Dribbles => dribbling = Some(Dribbling::start(&client)),
            Self::NeverReads | Self::ResetsWhileBeingAnswered => send_until_blocked(&client),
            Self::HalfCloses => {
                send_until_blocked(&client);
                client.finish();
            }
            Self::ResetsInAMessage => client.send("hel"),
            Self::ResetsAfterTheQuestion => client.send("hello\n"),
        }
        if !self.lasts() {
            // Closing the socket would not reset the connection, because a child process has a copy of it.
            rustix::net::connect_unspec(&*client.socket()).unwrap();
        }
        Stalled {
            client: self.lasts().then_some(client),
            _dribbling: dribbling,
        }
    }
}

/// A client that stalls its handler.
struct Stalled {
    /// `None` if the client has reset its connection.
    client: Option<Client>,
    _dribbling: Option<Dribbling>,
}

/// Connects with small socket buffers, so that they are full soon.
fn connect(address: &SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    socket.connect(&(*address).into()).unwrap();
    Client::new(socket)
}

/// Sends lines without reading answers, until the socket buffers are full. Then the handler blocks while it writes.
fn send_until_blocked(client: &Client) {
    let short = Some(Duration::from_millis(50));
    client.socket().set_write_timeout(short).unwrap();
    let line = "x".repeat(1023) + "\n";
    let error = loop {
        if let Err(error) = client.try_send(&line) {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

/// Sends a byte every 10 ms, until this value is dropped or the connection is closed.
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

/// Checks that another client is served, unless the only handler stalls.
#[track_caller]
fn expect_others_are_served(kind: Kind, stall: Stall, address: &SocketAddr) {
    if kind.serves_several() || !stall.lasts() {
        let client = Tcp::connect(address);
        assert_eq!(client.ask("hello\n"), "hello\n", "during {stall:?}");
        client.finish();
        client.expect_end();
    }
}

/// Checks that the connection was closed or reset. A client that does not read may be reset.
#[track_caller]
fn expect_closed(stalled: &Stalled) {
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

/// Runs `stop`, which returns its duration, for each stall. One of ten attempts has to be fast enough, because other
/// tests may keep the machine busy. All other assertions hold for each attempt.
///
/// `stop` returns nothing if the handler began so late that the client has not stalled it, or ended so late that it was
/// abandoned.
fn expect_in_time(grace: Duration, stop: impl Fn(Stall) -> Option<Duration>) {
    for stall in Stall::ALL {
        expect_one_in_time(grace, &format!("{stall:?}"), || stop(stall));
    }
}

/// Repeats `stop` until it returns a duration that is short enough, at most ten times.
fn expect_one_in_time(grace: Duration, what: &str, stop: impl Fn() -> Option<Duration>) {
    let in_time = |took: &Option<Duration>| took.is_some_and(|took| took <= grace + BEYOND);
    let took = up_to_ten(stop, in_time);
    assert!(took.last().is_some_and(in_time), "{what}: {took:?}");
}

// ---- a server in this process ----

/// Threads, descriptors and child processes of this process.
fn resources() -> (Census, BTreeSet<String>) {
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

/// Stops a server while a client stalls its handler, and checks that nothing of the server remains.
fn stop_by(kind: Kind, stop: fn(Running), stall: Stall) -> Option<Duration> {
    let before = resources();
    let (took, counts) = {
        let server = Server::<Tcp, _, Sequential>::bind(own_loopback(), Hooks::echo()).unwrap();
        let server = server.strategy(kind.strategy()).grace_period(GRACE);
        let server = server.spawn().unwrap();
        let (address, handle) = (*server.server_address(), server.handle());
        let stalled = stall.begin(&address);
        expect_others_are_served(kind, stall, &address);
        eventually("the client is accepted", || handle.stats().accepted > 0);

        let start = Instant::now();
        in_time(move || stop(server));
        let took = start.elapsed();
        expect_closed(&stalled);
        let is_refused = || {
            let connected = Tcp::try_connect(&address);
            connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        let refuses = is_refused();
        // On a busy machine a force-closed handler may need longer than `force_close_timeout`. A sequential server's
        // accept loop has the socket until then; the attempt does not count.
        assert!(refuses || kind == Kind::Sequential);
        eventually("the handler ends", || handle.stats().active == 0);
        eventually("the socket is closed", is_refused);
        let stats = handle.stats();
        let by_themselves = stats.completed + stats.failed + stats.disconnected;
        let ended = by_themselves + stats.force_closed + stats.rejected;
        assert_eq!(stats.accepted, ended + stats.dropped, "{stats:?}");
        let has_stalled = stats.force_closed == u64::from(stall.lasts());
        assert!(has_stalled || stall.may_end(), "{stall:?}: {stats:?}");
        (took, has_stalled && refuses)
    };
    // The kernel lists a thread for a moment after its end.
    let deadline = Instant::now() + PATIENCE;
    while resources() != before && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(resources(), before, "{stall:?}: resources remain");
    counts.then_some(took)
}

/// Runs a first server, because it creates descriptors that the process keeps.
fn warm_up(kind: Kind) {
    let threads = Census::now().threads;
    let host = host_by::<Tcp, _, _>(kind.strategy(), || LineEcho);
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    host.stop();
    eventually("the server's threads end", || {
        Census::now().threads == threads
    });
}

fn a_stop(kind: Kind) {
    fn stop(server: Running) {
        server.stop().unwrap();
    }

    alone(test_name!("a_stop"), kind, || {
        warm_up(kind);
        expect_in_time(GRACE, |stall| stop_by(kind, stop, stall));
    });
}

fn a_drop(kind: Kind) {
    alone(test_name!("a_drop"), kind, || {
        warm_up(kind);
        expect_in_time(GRACE, |stall| stop_by(kind, drop, stall));
    });
}

/// A handler that neither reads nor writes does not notice that its connection is force-closed, and is abandoned. A
/// child process is killed instead.
fn a_handler_that_ignores_the_stop(kind: Kind) {
    alone(test_name!("a_handler_that_ignores_the_stop"), kind, || {
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
            let server = Server::<Tcp, _, Sequential>::bind(own_loopback(), service).unwrap();
            let server = server.strategy(kind.strategy()).grace_period(GRACE);
            let server = server.spawn().unwrap();
            let handle = server.handle();
            let client = Tcp::connect(server.server_address());
            assert_eq!(client.ask("wait\n"), "wait\n");
            let start = Instant::now();
            let report = in_time(move || server.stop()).unwrap();
            let took = start.elapsed();
            let ended = (report.force_closed.len(), report.abandoned.len());
            let is_killed = kind == Kind::Forking;
            let expected = if is_killed { (1, 0) } else { (0, 1) };
            // A killed child process that ends late is abandoned.
            let is_late = is_killed && ended == (0, 1);
            assert!(is_late || ended == expected, "{report}");
            gate.open();
            eventually("the handler ends", || handle.stats().active == 0);
            (!is_late).then_some(took)
        };
        expect_one_in_time(GRACE, "a handler that waits", attempt);
    });
}

// ---- a server program ----

/// SIGTERM stops the example `echo_server`.
fn a_signal(kind: Kind) {
    expect_in_time(GRACE, |stall| {
        let host = own_loopback().ip().to_string();
        let address = ["--port", "0", "--host", &host];
        let options = ["--grace", "0.1", "--strategy", kind.name()];
        let mut program = Program::example("echo_server", &[address, options].concat());
        let address = program.address();
        let descriptors = format!("/proc/{}/fd", program.id());
        let descriptors = || fs::read_dir(&descriptors).unwrap().count();
        let before = descriptors();
        let stalled = stall.begin(&address);
        expect_others_are_served(kind, stall, &address);
        if kind == Kind::Sequential && stall.lasts() {
            // No answer to another client shows that this one was accepted.
            eventually("the client is accepted", || descriptors() > before);
        }
        let children = children_of(&program.id().to_string());

        let start = Instant::now();
        program.signal(Signal::SIGTERM);
        let ended = program.finish();
        let took = start.elapsed();
        assert!(ended.status.success(), "{stall:?}: {}", ended.status);
        expect_closed(&stalled);
        let last = ended.text().lines().last().unwrap();
        assert!(last.starts_with("drained: "), "{last}");
        let counts = format!("{} force-closed, 0 abandoned", u8::from(stall.lasts()));
        let has_stalled = last.contains(&counts);
        // A handler that gets no processor time after the force-close is abandoned.
        let is_late = stall.lasts() && last.contains("0 force-closed, 1 abandoned");
        assert!(
            has_stalled || is_late || stall.may_end(),
            "{stall:?}: {last}"
        );
        // A zombie counts as ended, because the process that inherits it may not have reaped it yet.
        let any_runs = || {
            children.iter().any(|child| {
                let stat = fs::read_to_string(format!("/proc/{child}/stat"));
                stat.is_ok_and(|stat| !stat.contains(") Z "))
            })
        };
        if is_late {
            eventually("the abandoned child process ends", || !any_runs());
        }
        assert!(!any_runs(), "{stall:?}: a child process remains");
        has_stalled.then_some(took)
    });
}
