//! Nothing is lost, whatever happens when: every request is counted once, every client gets its answers or
//! an end, every stop comes to its end, and nothing is left behind.
//!
//! Schedules are drawn at random; one that goes wrong is made smaller, and printed. `PROPTEST_CASES` says
//! how many there are for each pair of a transport and a strategy.
//!
//! A process of its own, because the threads, descriptors and children of the whole process are counted.

mod books;
mod guest;
mod play;
mod schedule;
mod talk;

use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};
use proptest::strategy::Strategy as _;
use proptest::test_runner::{Config, TestRunner};
use socketserver::transport::{Tcp, UnixStream};
use socketserver::{Coroutines, Sequential, ThreadPool, Threading};

use self::schedule::{Schedule, schedules};
use crate::support::alone::{apart, test_name};
use crate::support::census::Census;
use crate::support::net::*;
use crate::support::scale::scale;

fn has_children() -> bool {
    // This would collect one, but then it should not be there.
    waitpid(None, Some(WaitPidFlag::WNOHANG)) != Err(Errno::ECHILD)
}

/// Draws schedules, and plays each; afterwards everything has to be as it was.
fn always(what: &str, floods: bool, play: impl Fn(&Schedule)) {
    let mut config = Config {
        failure_persistence: None,
        max_shrink_time: 60_000,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = scale(6, 40);
    }
    let played = TestRunner::new(config).run(&schedules(floods).boxed(), |schedule| {
        // Not what it was at the start: what one schedule leaves behind is not the fault of the next.
        let before = Census::now();
        play(&schedule);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Census::now();
            if now.threads <= before.threads && now.descriptors <= before.descriptors {
                break;
            }
            assert!(Instant::now() < deadline, "{now:?} is left of {before:?}");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!has_children(), "a child is left behind");
        Ok(())
    });
    if let Err(failure) = played {
        panic!("{what}: {failure}");
    }
}

#[test]
fn nothing_is_lost() {
    apart(test_name!("nothing_is_lost"), play_all);
}

fn play_all() {
    expect_panics();
    // A process that has ever forked keeps a descriptor for that.
    host_by::<Tcp, _, _>(forking(), || LineEcho)
        .client()
        .ask("hello\n");
    let before = Census::now();
    macro_rules! all {
        ($($name:literal: $strategy:expr, $forks:literal;)*) => {
            $(
                always(concat!("TCP, ", $name), true, |schedule| {
                    play::connections::<Tcp, _>(schedule, $strategy, $forks);
                });
                always(concat!("Unix sockets, ", $name), true, |schedule| {
                    play::connections::<UnixStream, _>(schedule, $strategy, $forks);
                });
                always(concat!("UDP, ", $name), false, |schedule| {
                    play::datagrams(schedule, $strategy);
                });
            )*
        };
    }
    all! {
        "sequential": Sequential, false;
        "threads": Threading::new(), false;
        "a pool": ThreadPool::new(2), false;
        "coroutines": Coroutines::new(), false;
        "processes": forking(), true;
    }
    eventually("all is as it was", || Census::now() == before);
}
