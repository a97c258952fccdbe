//! A server for one test.

use std::fmt::{self, Write};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::server::{DrainReport, RunningServer, Server};
use crate::service::Service;
use crate::state::ServerHandle;
use crate::strategy::Strategy;
use crate::testing::client::Client;
use crate::transport::Transport;

/// A server that serves while a test runs, and that fails the test if a request has failed.
///
/// Dropping it stops the server as [`RunningServer::stop`] does, and panics
///
/// - if a handler, or a hook of a request, has failed or panicked
///   ([`Stats::failed`](crate::Stats::failed)), unless [`expect_failures`](Self::expect_failures) allows it;
/// - if a request has not ended although its connection was closed
///   ([`DrainReport::abandoned`](field@crate::DrainReport::abandoned));
/// - if the accept loop has ended with an error.
///
/// If the thread panics already, because the test has failed, it only stops the server.
///
/// It derefs to the [`Server`], so `server_address()`, `service()`, `handle()` and `stats()` are there. Bind the
/// server to port 0, so that tests can run at the same time.
///
/// ```
/// use socketserver::prelude::*;
/// use socketserver::testing::TestServer;
///
/// let upper = handler_fn(|request: &mut UdpRequest| {
///     let packet = request.packet().to_ascii_uppercase();
///     Ok(request.send_all(packet)?)
/// });
/// let server = TestServer::start(UdpServer::bind("127.0.0.1:0", upper)?);
/// let mut client = server.client();
/// client.send_all("hello")?;
/// assert_eq!(client.recv()?, b"HELLO");
/// # Ok::<(), BoxError>(())
/// ```
///
/// A handler that fails:
///
/// ```should_panic
/// use socketserver::prelude::*;
/// use socketserver::testing::TestServer;
///
/// let broken = handler_fn(|_request: &mut TcpRequest| Err("the disk is full".into()));
/// let server = TestServer::start(TcpServer::bind("127.0.0.1:0", broken).unwrap());
/// let mut client = server.client();
/// assert_eq!(client.rest().unwrap(), b""); // the client cannot tell that the handler has failed
/// drop(server); // panics: "1 request failed, expected 0: handle failed: the disk is full"
/// ```
#[must_use = "dropping it stops the server at once: keep it until the test ends"]
pub struct TestServer<T: Transport, S: Service<T::Request>, M: Strategy> {
    /// `None` once the server was stopped.
    running: Option<RunningServer<T, S, M>>,
    handle: ServerHandle,
    expected_failures: AtomicU64,
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> TestServer<T, S, M> {
    /// Serves on a thread of its own, as [`Server::spawn`] does.
    ///
    /// See the [example](Self).
    ///
    /// # Panics
    ///
    /// If [`Server::spawn`] fails.
    #[track_caller]
    pub fn start(server: Server<T, S, M>) -> Self {
        let handle = server.handle();
        handle.0.failures.enable();
        match server.spawn() {
            Ok(running) => Self {
                running: Some(running),
                handle,
                expected_failures: AtomicU64::new(0),
            },
            Err(error) => panic!("the server cannot be started: {error}"),
        }
    }

    /// Connects a new client.
    ///
    /// See the [example](Self).
    ///
    /// # Panics
    ///
    /// If the client cannot connect.
    #[track_caller]
    pub fn client(&self) -> Client {
        match Client::connect(self.handle.clone(), T::KIND) {
            Ok(client) => client,
            Err(error) => panic!(
                "cannot connect to {}: {error}",
                self.handle.server_address()
            ),
        }
    }

    /// Sets how many requests fail in this test, instead of none. The test fails if more *or fewer* do.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::TestServer};
    ///
    /// let broken = handler_fn(|_request: &mut TcpRequest| Err("the disk is full".into()));
    /// let server = TestServer::start(TcpServer::bind("127.0.0.1:0", broken)?);
    /// server.expect_failures(1);
    /// assert_eq!(server.client().rest()?, b"");
    /// let report = server.stop(); // fails unless one request has failed
    /// assert!(report.abandoned.is_empty());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn expect_failures(&self, requests: u64) {
        self.expected_failures.store(requests, Ordering::Relaxed);
    }

    /// Stops the server now, and returns the report of the stop.
    ///
    /// See the [example](Self::expect_failures).
    ///
    /// # Panics
    ///
    /// As described for the drop of this value.
    #[track_caller]
    pub fn stop(mut self) -> DrainReport {
        match self.finish() {
            Ok(report) => report,
            Err(reason) => panic!("{reason}"),
        }
    }

    /// Stops the server, and returns the report, or the reason why the test fails.
    fn finish(&mut self) -> Result<DrainReport, String> {
        let Some(running) = self.running.take() else {
            return Ok(DrainReport::default());
        };
        let report = running
            .stop()
            .map_err(|error| format!("the server ended by itself: {error}"))?;
        let failed = self.handle.stats().failed;
        let expected = self.expected_failures.load(Ordering::Relaxed);
        if failed != expected {
            return Err(self.describe_failures(failed, expected));
        }
        if !report.abandoned.is_empty() {
            return Err(format!("not all requests have ended: {report}"));
        }
        Ok(report)
    }

    fn describe_failures(&self, failed: u64, expected: u64) -> String {
        let noun = if failed == 1 { "request" } else { "requests" };
        let mut text = format!("{failed} {noun} failed, expected {expected}");
        let errors = self.handle.0.failures.texts();
        if failed > 0 && errors.is_empty() {
            text.push_str(" (in child processes, which report their errors on standard error)");
        }
        for error in &errors {
            let _ = write!(
                text,
                "{} {error}",
                if errors.len() == 1 { ":" } else { "\n-" }
            );
        }
        text
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> Deref for TestServer<T, S, M> {
    type Target = Server<T, S, M>;

    fn deref(&self) -> &Server<T, S, M> {
        match &self.running {
            Some(running) => running,
            None => {
                unreachable!("only `stop` and `drop` take the server, and both consume the value")
            }
        }
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> Drop for TestServer<T, S, M> {
    fn drop(&mut self) {
        if let Err(reason) = self.finish()
            && !thread::panicking()
        {
            panic!("{reason}");
        }
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> fmt::Debug for TestServer<T, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestServer").field(&self.handle).finish()
    }
}
