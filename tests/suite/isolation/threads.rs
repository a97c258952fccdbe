//! Threads that cannot be started for a server. `strategies` tests threads of single requests.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use socketserver::transport::{Tcp, Udp};
use socketserver::{Coroutines, Error, Phase, Sequential, Server, Strategy, ThreadPool};

use crate::support::alone::{is_alone, run, test_name};
use crate::support::net::*;

/// Limits the address space of this process, so that no further thread can be started.
fn prevent_new_threads() {
    const STACK: usize = 2 << 20;

    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = size.and_then(|size| size.trim().strip_suffix(" kB"));
    let now = size.unwrap().parse::<u64>().unwrap() * 1024;
    let limit = Rlimit {
        current: Some(now + STACK as u64 * 3 / 4),
        maximum: None,
    };
    setrlimit(Resource::As, limit).unwrap();
    // The stacks of ended threads are cached and reused. These threads use up the cache.
    let idle = || thread::Builder::new().stack_size(STACK).spawn(park_forever);
    let threads = std::iter::from_fn(|| idle().ok()).take(100).count();
    assert!(threads < 100, "threads can still be started");
}

fn park_forever() {
    loop {
        thread::park();
    }
}

#[test]
fn a_stop_needs_no_thread() {
    run(test_name!("a_stop_without_threads"));
}

/// The grace period and the lame-duck period need a thread that waits for them. Without one, the server stops
/// at once.
#[test]
#[ignore = "run by a_stop_needs_no_thread"]
fn a_stop_without_threads() {
    if !is_alone(test_name!("a_stop_without_threads")) {
        return;
    }
    const LONG: Duration = Duration::from_secs(3600);

    let (done, ended) = mpsc::channel();
    let busy = Server::<Tcp, _, Sequential>::bind(LOOPBACK, Hooks::echo()).unwrap();
    let busy = busy.grace_period(LONG).force_close_timeout(PATIENCE);
    let lame = Server::<Tcp, _, Sequential>::bind(LOOPBACK, Hooks::echo()).unwrap();
    let lame = lame.lame_duck(LONG).grace_period(LONG);
    let handles = [busy.handle(), lame.handle()];
    let client = Tcp::connect(busy.server_address());
    for server in [busy, lame] {
        let done = done.clone();
        thread::spawn(move || {
            let _ = done.send(server.serve_forever().is_ok());
            // An ended thread would leave its stack to the next one.
            park_forever();
        });
    }
    assert_eq!(client.ask("hello\n"), "hello\n");
    eventually("both serve", || {
        handles
            .iter()
            .all(|handle| handle.phase() == Phase::Serving)
    });
    prevent_new_threads();
    for handle in &handles {
        handle.shutdown();
        assert!(next(&ended), "serve_forever returned an error");
        assert!(handle.wait(PATIENCE));
    }
    client.expect_end();
}

#[test]
fn serving_without_threads_is_an_error() {
    run(test_name!("serving_without_threads"));
}

/// The error names the purpose of the thread, and the server can be closed.
#[test]
#[ignore = "run by serving_without_threads_is_an_error"]
fn serving_without_threads() {
    if !is_alone(test_name!("serving_without_threads")) {
        return;
    }
    fn fails<M: Strategy>(strategy: M) {
        let server = Server::<Udp, _, Sequential>::bind(LOOPBACK, || LineEcho).unwrap();
        let server = server.strategy(strategy);
        let error = server.serve_forever().unwrap_err();
        assert!(matches!(error, Error::Resources { .. }), "{error}");
        assert!(
            error.to_string().contains("a thread to serve on"),
            "{error}"
        );
        let report = server.server_close();
        assert_eq!((report.running, report.abandoned.len()), (0, 0));
    }

    let server = Server::<Tcp, _, Sequential>::bind(LOOPBACK, || LineEcho).unwrap();
    prevent_new_threads();
    let error = server.spawn().unwrap_err();
    assert!(matches!(error, Error::Resources { .. }), "{error}");
    fails(ThreadPool::new(2));
    fails(Coroutines::new());
}
