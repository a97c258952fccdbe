//! Chaos: handlers panic or are killed, while other clients are served and the counters add up. Soak: many servers,
//! one after the other, leak no thread, descriptor or memory.
//!
//! `CHAOS_SECONDS` and `SOAK_SECONDS` set the durations. The defaults are 1 s and 2 s; with `SOCKETSERVER_TESTS=all`
//! they are 5 s and 100 s.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use nix::sys::signal::{Signal, kill};
#[cfg(unix)]
use nix::unistd::Pid;
use socketserver::transport::Tcp;
#[cfg(unix)]
use socketserver::{ChildExit, Forking};
use socketserver::{
    Coroutines, Request, Sequential, Server, ServerHandle, Stats, Strategy, TcpRequest, ThreadPool,
    Threading,
};

use crate::support::alone::{alone, apart, test_name};
use crate::support::census::Census;
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;
use crate::support::scale::scale;

/// Reads a duration from an environment variable.
fn seconds(variable: &str, default: u64) -> Duration {
    let seconds = std::env::var(variable).map(|seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(default))
}

/// Checks that every accepted request has ended and was counted once.
#[track_caller]
fn expect_counts_add_up(handle: &ServerHandle) -> Stats {
    eventually("all requests have ended", || handle.stats().active == 0);
    let stats = handle.stats();
    let by_themselves = stats.completed + stats.failed + stats.disconnected;
    let ended = by_themselves + stats.force_closed + stats.rejected + stats.dropped;
    assert_eq!(stats.accepted, ended, "{stats:?}");
    stats
}

// ---- chaos ----

const CONNECTIONS: usize = 100;
const BETWEEN_KILLS: Duration = Duration::from_millis(100);

/// Serves a hundred clients while `kill` kills a handler every 100 ms. Returns the counters.
fn chaos<M: Strategy>(
    host: Host<Tcp, Hooks<TcpRequest>, M>,
    may_reset: bool,
    kill: impl Fn(&Host<Tcp, Hooks<TcpRequest>, M>),
) -> Stats {
    let handle = host.server.handle();
    let (address, done) = (*host.server.server_address(), AtomicBool::new(false));
    thread::scope(|scope| {
        // Ends the client threads also after a failed assertion, because the scope waits for them.
        let _done = SetOnDrop(&done);
        for number in 0..CONNECTIONS {
            let done = &done;
            let talk = move || {
                while !done.load(Ordering::SeqCst) {
                    converse(&Tcp::connect(&address), number, may_reset, done);
                }
            };
            let thread = thread::Builder::new().stack_size(256 * 1024);
            thread.spawn_scoped(scope, talk).unwrap();
        }
        eventually("all clients are connected", || {
            handle.stats().active == CONNECTIONS as u64
        });
        let end = Instant::now() + seconds("CHAOS_SECONDS", scale(1, 5));
        while Instant::now() < end {
            kill(&host);
            thread::sleep(BETWEEN_KILLS);
        }
        // A new client is served quickly. One of ten attempts has to succeed, because a busy machine can delay the
        // others.
        let serve = || {
            let start = Instant::now();
            let client = host.client();
            assert_eq!(client.ask("new\n"), "new\n");
            client.finish();
            client.expect_end();
            start.elapsed()
        };
        let soon = |took: &Duration| *took < Duration::from_millis(500);
        let took = up_to_ten(serve, soon);
        let is_soon = took.last().is_some_and(soon);
        assert!(is_soon, "new clients were served after {took:?}");
    });
    let stats = expect_counts_add_up(&handle);
    host.stop();
    stats
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Sends requests until `done` is set or the handler is killed. Checks that each answer is complete, and that the
/// connection is reset only if it may be.
fn converse(client: &Client, number: usize, may_reset: bool, done: &AtomicBool) {
    for n in 0.. {
        let question = format!("{number} {n}\n");
        // After an error of this call, the next one returns the reason.
        let _ = client.try_send(&question);
        match client.try_receive() {
            Ok(end) if end.is_empty() => return,
            Ok(answer) => assert_eq!(answer, question.as_bytes()),
            Err(error) => {
                let is_reset = error.kind() == ErrorKind::ConnectionReset;
                assert!(is_reset && may_reset, "the connection failed: {error}");
                return;
            }
        }
        if done.load(Ordering::SeqCst) {
            client.finish();
            return client.expect_end();
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Lets the handler panic that first sees a flag.
fn chaos_by_panics(strategy: Box<dyn Strategy>) {
    expect_panics();
    let (must_panic, panics) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let service = Hooks::new({
        let (must_panic, panics) = (Arc::clone(&must_panic), Arc::clone(&panics));
        move |request: &mut TcpRequest| {
            while let Some(line) = request.next_line(100)? {
                if must_panic.swap(false, Ordering::SeqCst) {
                    panics.fetch_add(1, Ordering::SeqCst);
                    panic!("on purpose");
                }
                request.send_all(&line)?;
            }
            Ok(())
        }
    });
    let host = host_by(strategy, service);
    let stats = chaos(host, false, |_| {
        must_panic.store(true, Ordering::SeqCst);
        eventually("a handler has panicked", || {
            !must_panic.load(Ordering::SeqCst)
        });
    });
    assert_eq!(stats.failed, panics.load(Ordering::SeqCst), "{stats:?}");
    assert_eq!(stats.completed, stats.accepted - stats.failed, "{stats:?}");
}

#[test]
fn panics_in_threads() {
    chaos_by_panics(Box::new(Threading::new()));
}

#[test]
fn panics_in_a_pool() {
    chaos_by_panics(Box::new(ThreadPool::new(CONNECTIONS + 10)));
}

#[test]
fn panics_in_coroutines() {
    chaos_by_panics(Box::new(Coroutines::new().workers(2)));
}

/// Kills child processes one after the other. The killed process is one that was not reaped before, so its process id
/// cannot belong to another process.
#[test]
fn killed_children() {
    apart(test_name!("killed_children"), || {
        let (ended, ends): (_, Receiver<ChildExit>) = mpsc::channel();
        let forking: Forking =
            forking()
                .max_children(CONNECTIONS + 10)
                .on_child_exit(move |exit| {
                    let _ = ended.send(*exit);
                });
        let killed = AtomicU64::new(0);
        let host = host_by(forking, Hooks::echo());
        // The kernel resets the connection of a killed child that has unread data.
        let stats = chaos(host, true, |host| {
            let children = host.server.active_children();
            let number = killed.fetch_add(1, Ordering::SeqCst) as usize;
            let victim = children[number % children.len()];
            kill(Pid::from_raw(victim.try_into().unwrap()), Signal::SIGKILL).unwrap();
            while next(&ends).pid() != victim {}
        });
        assert_eq!(stats.failed, killed.load(Ordering::SeqCst), "{stats:?}");
        assert_eq!(stats.completed, stats.accepted - stats.failed, "{stats:?}");
    });
}

// ---- soak ----

by_kind!(soak);

/// Resident memory of this process, in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = size.unwrap().trim().strip_suffix(" kB").unwrap();
    size.parse().unwrap()
}

/// Permitted growth of the memory, in KiB. A leak of one connection's buffer per round exceeds it in seconds.
const SLACK: u64 = 4 * 1024;

/// Starts and stops servers on one port, with clients that finish, stall, reset or are rejected.
fn soak(kind: Kind) {
    alone(test_name!("soak"), kind, || {
        // Each of the five strategies gets an equal share.
        let time = seconds("SOAK_SECONDS", scale(2, 100)) / Kind::ALL.len() as u32;
        let mut address = own_loopback();
        let start = Instant::now();
        let threads = Census::now().threads;
        let mut warm = None;
        let mut rounds = 0;
        while rounds < scale(6, 10) || start.elapsed() < time {
            round(kind, &mut address);
            rounds += 1;
            // The test that waits for this process needs output, or its wait expires.
            println!("round {rounds}");
            eventually("the server's threads end", || {
                Census::now().threads == threads
            });
            if warm.is_none() && rounds >= 4 && start.elapsed() >= time / 4 {
                warm = Some((Census::now(), memory()));
            }
        }
        let (size, memory_then) = warm.unwrap_or_else(|| (Census::now(), memory()));
        assert_eq!(Census::now(), size, "after {rounds} rounds");
        let now = memory();
        let most = memory_then + SLACK;
        assert!(
            now <= most,
            "{rounds} rounds: {memory_then} KiB, then {now} KiB"
        );
    });
}

/// Starts a server, serves clients of each kind, and stops it.
fn round(kind: Kind, address: &mut SocketAddr) {
    let rejects = Arc::<AtomicBool>::default();
    let service = Hooks::<TcpRequest>::echo().on_verify({
        let rejects = Arc::clone(&rejects);
        move |_| !rejects.load(Ordering::SeqCst)
    });
    let server = Server::<Tcp, _, Sequential>::bind(*address, service).unwrap();
    *address = *server.server_address();
    let server = server.strategy(kind.strategy());
    let server = server
        .grace_period(Duration::from_millis(20))
        .spawn()
        .unwrap();
    let handle = server.handle();
    for n in 0..20 {
        let client = Tcp::connect(address);
        match n % 5 {
            0 => talk(&client, 3),
            1 => {
                client.send("hel");
                reset(&client);
            }
            2 => {
                client.send("hello\n");
                reset(&client);
            }
            3 => {
                // After this answer, all earlier clients are accepted.
                assert_eq!(client.ask("hello\n"), "hello\n");
                rejects.store(true, Ordering::SeqCst);
                let rejected = Tcp::connect(address);
                client.finish();
                client.expect_end();
                rejected.expect_end();
                rejects.store(false, Ordering::SeqCst);
            }
            _ => talk(&client, 50),
        }
    }
    let idle = Tcp::connect(address);
    assert_eq!(idle.ask("hello\n"), "hello\n");
    let silent = Tcp::connect(address);
    in_time(move || server.stop()).unwrap();
    idle.expect_end();
    silent.expect_end();
    let stats = expect_counts_add_up(&handle);
    assert!(stats.rejected >= 4, "{stats:?}");
}

fn talk(client: &Client, lines: usize) {
    for n in 0..lines {
        let question = format!("line {n}\n");
        assert_eq!(client.ask(&question), question);
    }
    client.finish();
    client.expect_end();
}

/// Resets the connection. Closing the socket would not, because a child process of the server has a copy of it.
fn reset(client: &Client) {
    rustix::net::connect_unspec(&*client.socket()).unwrap();
}
