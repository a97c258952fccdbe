//! Strategies that panic.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socketserver::strategy::{AcceptWait, Ready, Scheduling};
use socketserver::{Error, Job, Rejected, Sequential, Server, Strategy};

use super::{PanicPoint, assert_adds_up};
use crate::support::net::*;

/// Runs each request on a thread of its own.
struct PanickingStrategy(Arc<PanicPoint>);

impl Strategy for PanickingStrategy {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        self.0.visit("process_request");
        let thread = thread::Builder::new().name("socketserver-job".into());
        thread.spawn(|| job.run()).unwrap();
        Ok(())
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        self.0.visit("wait");
        wait.for_request()
    }

    fn server_close(&self, _: Duration) {
        self.0.visit("server_close");
    }

    fn scheduling(&self) -> Scheduling<'_> {
        self.0.visit("scheduling");
        Scheduling::default()
    }
}

fn panicking_strategy(panics_at: PanicPoint) -> (PanickingStrategy, Arc<PanicPoint>) {
    let panics_at = Arc::new(panics_at);
    (PanickingStrategy(Arc::clone(&panics_at)), panics_at)
}

/// The stop still force-closes all connections.
fn a_panic_in_server_close_affects_no_request<T: Connected>() {
    expect_panics();
    let (strategy, panics_at) = panicking_strategy(PanicPoint::always("server_close"));
    let host = host_with::<T, Sequential, _, _>(
        Hooks::<T::Request>::echo(),
        |options| options,
        |server| server.grace_period(Duration::ZERO).strategy(strategy),
    );
    let handle = host.server.handle();
    let clients = [(); 3].map(|()| host.client());
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    let report = host.stop();
    assert!(
        panics_at.panics() > 0,
        "server_close was not called: {report:?}"
    );
    assert_eq!(report.force_closed.len(), 3);
    assert_adds_up(&report, &handle.stats());
    for client in clients {
        client.expect_end();
    }
}

fn a_panic_in_process_request_costs_that_request<T: Connected>() {
    expect_panics();
    let (strategy, _) = panicking_strategy(PanicPoint::once("process_request"));
    let host = host_by::<T, _, _>(strategy, || LineEcho);
    let handle = host.server.handle();
    host.client().expect_end();
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    let report = host.stop();
    let stats = handle.stats();
    assert_eq!((stats.dropped, stats.completed), (1, 1));
    assert_adds_up(&report, &stats);
}

/// Connections in the backlog are served by the next run.
fn a_panic_in_wait_or_scheduling_ends_serving_with_an_error<T: Connected>() {
    expect_panics();
    for method in ["wait", "scheduling"] {
        let dir = TempDir::new();
        let (strategy, _) = panicking_strategy(PanicPoint::once(method));
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
        let Error::Accept { source } = &error else {
            panic!("{error}");
        };
        let expected = format!("Strategy::{method} panicked: {method} panics on purpose");
        assert_eq!(source.to_string(), expected);
        assert_eq!(handle.stats().accepted, 0);
        let server = server.spawn().unwrap();
        assert_eq!(client.line(), "hello\n");
        let report = in_time(move || server.stop()).unwrap();
        assert_adds_up(&report, &handle.stats());
    }
}

/// The close still serves the connections in the backlog.
fn a_panic_in_wait_does_not_prevent_serving_the_backlog_at_the_close<T: Connected>() {
    expect_panics();
    let dir = TempDir::new();
    let (strategy, panics_at) = panicking_strategy(PanicPoint::always("wait"));
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
    assert!(panics_at.panics() > 0);
    assert_eq!((report.accepted, report.completed), (3, 3));
    assert_adds_up(&report, &handle.stats());
}

over_streams!(
    a_panic_in_server_close_affects_no_request,
    a_panic_in_process_request_costs_that_request,
    a_panic_in_wait_or_scheduling_ends_serving_with_an_error,
    a_panic_in_wait_does_not_prevent_serving_the_backlog_at_the_close,
);
