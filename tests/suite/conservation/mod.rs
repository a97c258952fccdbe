//! Random schedules of clients and stops. Every request is counted once, every client gets its answers or
//! the end of the stream, every stop ends, and no thread, descriptor or child process is left behind.
//!
//! A schedule that fails is shrunk and printed. `PROPTEST_CASES` sets the number of schedules for each pair
//! of a transport and a strategy.
//!
//! The test has a process of its own, because it counts the threads, descriptors and child processes of the
//! whole process.

mod client;
mod connections;
mod counts;
mod datagrams;
mod protocol;
mod schedule;
mod server;

use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use nix::errno::Errno;
#[cfg(unix)]
use nix::sys::wait::{WaitPidFlag, waitpid};
use proptest::strategy::Strategy as _;
use proptest::test_runner::{Config, TestRunner};
use socketserver::transport::Tcp;
#[cfg(unix)]
use socketserver::transport::UnixStream;
use socketserver::{Coroutines, Sequential, ThreadPool, Threading};

use self::schedule::{Schedule, schedules};
use crate::support::alone::{apart, test_name};
use crate::support::census::Census;
use crate::support::net::*;
use crate::support::scale::scale;

fn has_children() -> bool {
    // Reaps a child process that has exited: the test fails anyway if there is one.
    waitpid(None, Some(WaitPidFlag::WNOHANG)) != Err(Errno::ECHILD)
}

/// Runs random schedules. After each, the process has no more threads and descriptors than before, and no
/// child process.
fn run_schedules(name: &str, floods: bool, run: impl Fn(&Schedule)) {
    let mut config = Config {
        failure_persistence: None,
        max_shrink_time: 60_000,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = scale(6, 40);
    }
    let result = TestRunner::new(config).run(&schedules(floods).boxed(), |schedule| {
        // Taken before each schedule, so that a leak of one schedule does not fail the next ones too.
        let before = Census::now();
        run(&schedule);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Census::now();
            if now.threads <= before.threads && now.descriptors <= before.descriptors {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{before:?} before the schedule, {now:?} after it"
            );
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!has_children(), "a child process is left behind");
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{name}: {failure}");
    }
    // The test that started this process waits for output.
    println!("{name}");
}

#[test]
fn nothing_is_lost() {
    apart(test_name!("nothing_is_lost"), run_all);
}

fn run_all() {
    expect_panics();
    let threads = Census::now().threads;
    // The first fork opens a descriptor that the process keeps.
    host_by::<Tcp, _, _>(forking(), || LineEcho)
        .client()
        .ask("hello\n");
    // The kernel lists a thread for a moment after its end.
    eventually("the threads of the server have ended", || {
        Census::now().threads == threads
    });
    let before = Census::now();
    macro_rules! all {
        ($($name:literal: $strategy:expr, $forks:literal;)*) => {
            $(
                run_schedules(concat!("TCP, ", $name), true, |schedule| {
                    connections::run::<Tcp, _>(schedule, $strategy, $forks);
                });
                run_schedules(concat!("Unix sockets, ", $name), true, |schedule| {
                    connections::run::<UnixStream, _>(schedule, $strategy, $forks);
                });
                run_schedules(concat!("UDP, ", $name), false, |schedule| {
                    datagrams::run(schedule, $strategy);
                });
            )*
        };
    }
    all! {
        "Sequential": Sequential, false;
        "Threading": Threading::new(), false;
        "ThreadPool": ThreadPool::new(2), false;
        "Coroutines": Coroutines::new(), false;
        "Forking": forking(), true;
    }
    eventually("threads and descriptors are as before", || {
        Census::now() == before
    });
}
