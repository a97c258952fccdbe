//! Servers whose handlers are killed all the time, and servers that live long: whatever happens, the
//! others are served, the counters add up, and nothing grows.
//!
//! `CHAOS_SECONDS` and `SOAK_SECONDS` say how long each lasts; the defaults are 1 s and 2 s, and 5 s and
//! 100 s under `SOCKETSERVER_TESTS=all`.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socketserver::transport::Tcp;
use socketserver::{
    ChildExit, Coroutines, Forking, Request, Sequential, Server, ServerHandle, Stats, Strategy,
    TcpRequest, ThreadPool, Threading,
};

use crate::support::alone::{alone, test_name};
use crate::support::census::Census;
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;
use crate::support::scale::scale;

/// How long something lasts, by a variable of the environment.
fn seconds(variable: &str, default: u64) -> Duration {
    let seconds = std::env::var(variable).map(|seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(default))
}

/// Every request that was taken in has ended, in one way.
#[track_caller]
fn expect_balance(handle: &ServerHandle) -> Stats {
    eventually("all requests are over", || handle.stats().active == 0);
    let stats = handle.stats();
    let ended =
        stats.completed + stats.failed + stats.force_closed + stats.rejected + stats.dropped;
    assert_eq!(stats.accepted, ended, "{stats:?}");
    stats
}

// ---- chaos ----

const CONNECTIONS: usize = 100;
const BETWEEN_KILLS: Duration = Duration::from_millis(100);

/// Serves a hundred clients that converse, while `kill` kills a handler now and then. Returns what was
/// counted.
fn chaos<M: Strategy>(
    host: Host<Tcp, Hooks<TcpRequest>, M>,
    may_reset: bool,
    kill: impl Fn(&Host<Tcp, Hooks<TcpRequest>, M>),
) -> Stats {
    let handle = host.server.handle();
    let (address, over) = (*host.server.server_address(), AtomicBool::new(false));
    thread::scope(|scope| {
        // A check that fails must not leave the clients behind, who are waited for.
        let _over = SetOnDrop(&over);
        for number in 0..CONNECTIONS {
            let over = &over;
            let talk = move || {
                while !over.load(Ordering::SeqCst) {
                    converse(&Tcp::connect(&address), number, may_reset, over);
                }
            };
            let thread = thread::Builder::new().stack_size(256 * 1024);
            thread.spawn_scoped(scope, talk).unwrap();
        }
        eventually("all are there", || {
            handle.stats().active == CONNECTIONS as u64
        });
        let end = Instant::now() + seconds("CHAOS_SECONDS", scale(1, 5));
        while Instant::now() < end {
            kill(&host);
            thread::sleep(BETWEEN_KILLS);
        }
        // Somebody new does not notice. It is a time that is promised, so once in three times will do.
        let took = [(); 3].map(|()| {
            let start = Instant::now();
            let client = host.client();
            assert_eq!(client.ask("new\n"), "new\n");
            client.finish();
            client.expect_end();
            start.elapsed()
        });
        let soon = took.iter().any(|took| *took < Duration::from_millis(500));
        assert!(soon, "served after {took:?}");
    });
    let stats = expect_balance(&handle);
    host.stop();
    stats
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Asks until it is over, or the handler is killed. Each answer is whole, and each end in order.
fn converse(client: &Client, number: usize, may_reset: bool, over: &AtomicBool) {
    for n in 0.. {
        let question = format!("{number} {n}\n");
        // If that fails, the answer tells why.
        let _ = client.try_send(&question);
        match client.try_receive() {
            Ok(end) if end.is_empty() => return,
            Ok(answer) => assert_eq!(answer, question.as_bytes()),
            Err(error) => {
                let is_reset = error.kind() == ErrorKind::ConnectionReset;
                assert!(is_reset && may_reset, "no orderly end: {error}");
                return;
            }
        }
        if over.load(Ordering::SeqCst) {
            client.finish();
            return client.expect_end();
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Panics are told by a flag: whoever sees it first is the one.
fn chaos_by_panics(strategy: Box<dyn Strategy>) {
    expect_panics();
    let (doom, panics) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let service = Hooks::new({
        let (doom, panics) = (Arc::clone(&doom), Arc::clone(&panics));
        move |request: &mut TcpRequest| {
            while let Some(line) = request.next_line(100)? {
                if doom.swap(false, Ordering::SeqCst) {
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
        doom.store(true, Ordering::SeqCst);
        eventually("somebody has panicked", || !doom.load(Ordering::SeqCst));
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

/// Children are killed one after the other: whoever is killed is not collected yet, and nobody else.
#[test]
fn killed_children() {
    let (ended, ends): (_, Receiver<ChildExit>) = mpsc::channel();
    let forking: Forking = forking()
        .max_children(CONNECTIONS + 10)
        .on_child_exit(move |exit| {
            let _ = ended.send(*exit);
        });
    let killed = AtomicU64::new(0);
    let host = host_by(forking, Hooks::echo());
    // What a child has not read is reset by the system when it is killed.
    let stats = chaos(host, true, |host| {
        let children = host.server.active_children();
        let number = killed.fetch_add(1, Ordering::SeqCst) as usize;
        let victim = children[number % children.len()];
        kill(Pid::from_raw(victim.try_into().unwrap()), Signal::SIGKILL).unwrap();
        while next(&ends).pid() != victim {}
    });
    assert_eq!(stats.failed, killed.load(Ordering::SeqCst), "{stats:?}");
    assert_eq!(stats.completed, stats.accepted - stats.failed, "{stats:?}");
}

// ---- soak ----

by_kind!(soak);

/// The memory of this process that is in use, in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = size.unwrap().trim().strip_suffix(" kB").unwrap();
    size.parse().unwrap()
}

/// How much the memory may vary; a leak of a connection's buffer per round would be more in seconds.
const SLACK: u64 = 4 * 1024;

/// Servers that come and go on one port, and clients of all kinds.
fn soak(kind: Kind) {
    alone(test_name!("soak"), kind, || {
        // A fifth for each strategy.
        let time = seconds("SOAK_SECONDS", scale(2, 100)) / Kind::ALL.len() as u32;
        let mut address = own_loopback();
        let start = Instant::now();
        let threads = Census::now().threads;
        let mut warm = None;
        let mut rounds = 0;
        while rounds < scale(6, 10) || start.elapsed() < time {
            round(kind, &mut address);
            rounds += 1;
            // Whoever waits for this process wants to hear from it.
            println!("round {rounds}");
            eventually("its threads end", || Census::now().threads == threads);
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

/// The life of one server.
fn round(kind: Kind, address: &mut SocketAddr) {
    let refuses = Arc::<AtomicBool>::default();
    let service = Hooks::<TcpRequest>::echo().on_verify({
        let refuses = Arc::clone(&refuses);
        move |_| !refuses.load(Ordering::SeqCst)
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
                // Those before it are taken in.
                assert_eq!(client.ask("hello\n"), "hello\n");
                refuses.store(true, Ordering::SeqCst);
                let refused = Tcp::connect(address);
                client.finish();
                client.expect_end();
                refused.expect_end();
                refuses.store(false, Ordering::SeqCst);
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
    let stats = expect_balance(&handle);
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

/// Not by closing it: a child of this process would still have its copy.
fn reset(client: &Client) {
    rustix::net::connect_unspec(&*client.socket()).unwrap();
}
