//! Strategies that panic.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socketserver::strategy::{AcceptWait, Ready};
use socketserver::transport::Tcp;
use socketserver::{Error, Job, Rejected, Sequential, Server, Strategy};

use super::{Mine, adds_up};
use crate::support::net::*;

/// Runs each request on a thread of its own, on as many loops as it is told to.
struct Mined {
    loops: usize,
    mine: Arc<Mine>,
}

impl Strategy for Mined {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        self.mine.step_on("process_request");
        let thread = thread::Builder::new().name("socketserver-job".into());
        thread.spawn(|| job.run()).unwrap();
        Ok(())
    }

    fn runs_inline(&self, _: bool) -> bool {
        self.mine.step_on("runs_inline");
        false
    }

    fn accept_loops(&self, _: RequestKind) -> usize {
        self.mine.step_on("accept_loops");
        self.loops
    }

    fn accept_thread_builder(&self) -> thread::Builder {
        self.mine.step_on("accept_thread_builder");
        thread::Builder::new()
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        self.mine.step_on("wait");
        wait.for_request()
    }

    fn leave(&self, _: &AcceptWait<'_>) {
        self.mine.step_on("leave");
    }

    fn keeps_requests_after_loop(&self) -> bool {
        self.mine.step_on("keeps_requests_after_loop");
        false
    }

    fn finish_requests(&self) {
        self.mine.step_on("finish_requests");
    }

    fn service_actions(&self) {
        self.mine.step_on("service_actions");
    }

    fn drain(&self, _: Duration) {
        self.mine.step_on("drain");
    }

    fn interrupt(&self) {
        self.mine.step_on("interrupt");
    }

    fn server_close(&self, _: Duration) {
        self.mine.step_on("server_close");
    }
}

fn mined(loops: usize, mine: Mine) -> (Mined, Arc<Mine>) {
    let mine = Arc::new(mine);
    let strategy = Mined {
        loops,
        mine: Arc::clone(&mine),
    };
    (strategy, mine)
}

/// Nor does it keep a stop from cutting off who is there.
fn a_panic_there_costs_nothing<T: Connected>() {
    expect_panics();
    let everywhere = [
        "leave",
        "service_actions",
        "drain",
        "interrupt",
        "server_close",
    ];
    let on_threads = ["finish_requests", "keeps_requests_after_loop"];
    let alone = everywhere.map(|place| (place, 0));
    let several = everywhere
        .iter()
        .chain(&on_threads)
        .map(|&place| (place, 2));
    for (place, loops) in alone.into_iter().chain(several) {
        let (strategy, mine) = mined(loops, Mine::always(place));
        let service = Hooks::new({
            let mine = Arc::clone(&mine);
            move |request: &mut T::Request| {
                let talked = echo_lines(request);
                // Once it is cut off, that would not be called if everybody had left by then.
                if place == "interrupt" {
                    eventually("it is called", || mine.hits() > 0);
                }
                talked
            }
        });
        let host = host_with::<T, Sequential, _, _>(
            service,
            |options| options,
            |server| server.grace_period(Duration::ZERO).strategy(strategy),
        );
        let handle = host.server.handle();
        let clients = [(); 3].map(|()| host.client());
        for client in &clients {
            assert_eq!(client.ask("hello\n"), "hello\n", "{place}");
        }
        let report = host.stop();
        assert!(mine.hits() > 0, "{place} was not called: {report:?}");
        assert_eq!(report.force_closed.len(), 3, "{place}");
        adds_up(&report, &handle.stats());
        for client in clients {
            client.expect_end();
        }
    }
}

/// Where it is about a single request.
fn a_panic_there_costs_that_request<T: Connected>() {
    expect_panics();
    // Each loop asks once before it begins.
    for (place, loops, times) in [
        ("process_request", 0, 1),
        ("process_request", 2, 1),
        ("runs_inline", 0, 2),
        ("runs_inline", 2, 3),
    ] {
        let (strategy, mine) = mined(loops, Mine::times(place, times));
        let host = host_by::<T, _, _>(strategy, || LineEcho);
        if place == "runs_inline" {
            eventually("all loops run", || mine.hits() == times - 1);
        }
        let handle = host.server.handle();
        host.client().expect_end();
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        let report = host.stop();
        let stats = handle.stats();
        assert_eq!((stats.dropped, stats.completed), (1, 1), "{place}");
        adds_up(&report, &stats);
    }
}

/// Where nobody would know how to go on. Whoever waits is not lost.
fn a_panic_there_ends_serving_with_an_error<T: Connected>() {
    expect_panics();
    for (place, loops) in [
        ("wait", 0),
        ("wait", 1),
        ("wait", 2),
        ("accept_loops", 0),
        ("accept_thread_builder", 1),
    ] {
        let dir = TempDir::new();
        let (strategy, _) = mined(loops, Mine::once(place));
        let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
        let server = server.strategy(strategy);
        let handle = server.handle();
        let client = T::connect(server.server_address());
        client.send("hello\n");
        let named = thread::Builder::new().name("socketserver-test".into());
        let serving = named.spawn(move || {
            let error = server.serve_forever().unwrap_err();
            (error, server)
        });
        let (error, server) = in_time(move || serving.unwrap().join().unwrap());
        let source = match &error {
            Error::Accept { source } | Error::Resources { source, .. } => source,
            _ => panic!("{error}"),
        };
        let told = format!("Strategy::{place} panicked: {place} was told to");
        assert_eq!(source.to_string(), told);
        // Of several loops, another may have been faster.
        assert!(loops > 1 || handle.stats().accepted == 0);
        // It can be tried again.
        let server = server.spawn().unwrap();
        assert_eq!(client.line(), "hello\n");
        let report = in_time(move || server.stop()).unwrap();
        adds_up(&report, &handle.stats());
    }
}

/// Those in the queue are served all the same.
fn a_panic_in_wait_keeps_nobody_from_being_served_at_the_close<T: Connected>() {
    expect_panics();
    let dir = TempDir::new();
    let (strategy, mine) = mined(0, Mine::always("wait"));
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
    let server = server.strategy(strategy);
    let handle = server.handle();
    let clients = [(); 3].map(|()| T::connect(server.server_address()));
    for client in &clients {
        client.send("hello\n");
    }
    let named = thread::Builder::new().name("socketserver-test".into());
    let closing = named.spawn(move || server.server_close()).unwrap();
    for client in &clients {
        assert_eq!(client.line(), "hello\n");
    }
    let report = in_time(move || closing.join()).unwrap();
    assert!(mine.hits() > 0);
    assert_eq!((report.accepted, report.completed), (3, 3));
    adds_up(&report, &handle.stats());
}

over_streams!(
    a_panic_there_costs_nothing,
    a_panic_there_costs_that_request,
    a_panic_there_ends_serving_with_an_error,
    a_panic_in_wait_keeps_nobody_from_being_served_at_the_close,
);

/// One loop is enough to serve.
#[test]
fn a_panic_for_the_second_thread_leaves_the_first() {
    /// Has a single thread to give.
    #[derive(Default)]
    struct OneThread(AtomicUsize);

    impl Strategy for OneThread {
        fn process_request(&self, job: Job) -> Result<(), Rejected> {
            job.run();
            Ok(())
        }

        fn accept_loops(&self, _: RequestKind) -> usize {
            2
        }

        fn accept_thread_builder(&self) -> thread::Builder {
            assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), 0, "no more than one");
            thread::Builder::new()
        }
    }

    expect_panics();
    let host = host_by::<Tcp, _, _>(OneThread::default(), || LineEcho);
    for _ in 0..3 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
    }
    host.stop();
}
