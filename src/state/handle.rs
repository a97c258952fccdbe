//! Controlling a server while it serves.

mod limits;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::address::SocketAddress;
use crate::reentrancy::{self, Role};
use crate::state::broadcast::send_to_all;
use crate::state::{Phase, RequestInfo, ServerState, Stats};

/// Controls a server from other threads and from its own handlers
/// ([`Request::server`](crate::Request::server)). Cheap to clone.
///
/// ```
/// use socketserver::{Request, TcpRequest, TcpServer, handler_fn};
///
/// // The first client stops the server, from inside its handler.
/// let server = TcpServer::bind("127.0.0.1:0", handler_fn(|request: &mut TcpRequest| {
///     request.server().shutdown();
///     Ok(())
/// }))?;
/// let client = std::net::TcpStream::connect(server.server_address())?;
/// server.serve_forever()?; // returns
/// # Ok::<(), socketserver::BoxError>(())
/// ```
#[derive(Clone)]
pub struct ServerHandle(pub(crate) Arc<ServerState>);

impl ServerHandle {
    /// Requests that `serve_forever` return, and wakes the accept loop at once. Does not wait until it
    /// returns. Therefore it cannot deadlock, and it can be called on any thread, any number of times.
    ///
    /// - Running requests continue. [`Server::server_close`](crate::Server::server_close), or
    ///   dropping the server, waits for them.
    /// - If the accept loop runs the requests itself ([`Sequential`](crate::Sequential)), it returns
    ///   after the present request, which is force-closed after the
    ///   [grace period](crate::Server::grace_period).
    /// - Before the first `serve_forever`, the stop is remembered: that `serve_forever` returns at once.
    ///   After a `serve_forever` has returned, the call does nothing, so that a late or second call does
    ///   not end the next run.
    /// - [`Server::handle_request`](crate::Server::handle_request) returns too.
    ///
    /// > **Coming from Python.** There, `shutdown()` waits until the loop has ended, which takes up
    /// > to `poll_interval`. On the thread that runs the loop, it waits forever. Here, waiting is a
    /// > separate call: [`wait`](Self::wait).
    ///
    /// See the [example](Self).
    pub fn shutdown(&self) {
        self.0.request_stop();
    }

    /// Waits until `serve_forever` has returned, at most for `timeout` (`None` and [`Duration::MAX`]: without limit;
    /// zero: does not wait). Returns whether it has returned. If it is not running, returns `true` at once.
    ///
    /// On a thread that runs the accept loop, as the handlers of a sequential server do, returns `false` at
    /// once instead of waiting for itself. Also returns `false` at once in a forked child.
    ///
    /// A server that has not begun to serve is not running either. Therefore a thread started before
    /// `serve_forever` may get `true`. After [`spawn`](crate::Server::spawn) the server is running, so that
    /// the main thread can do something at intervals until a stop is requested:
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # use std::time::Duration;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.server().shutdown()));
    /// # let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?;
    /// let server = server.spawn()?;
    /// # let _client = std::net::TcpStream::connect(server.server_address())?;
    /// let handle = server.handle();
    /// while !handle.wait(Duration::from_secs(5)) {
    ///     println!("{:?}", handle.stats());
    /// }
    /// let report = server.stop()?;
    /// # let _ = report;
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "_BaseServer__is_shut_down")]
    pub fn wait(&self, timeout: impl Into<Option<Duration>>) -> bool {
        !reentrancy::is(self.0.id(), Role::Loop)
            && self.0.wait_until_stopped(deadline_after(timeout.into()))
    }

    /// Returns whether a stop was requested since the server began to serve, or the server is being closed. A
    /// handler that runs for a long time should check this from time to time. The cost is one atomic load.
    ///
    /// See the [example](Self::phase).
    #[doc(alias = "_BaseServer__shutdown_request")]
    pub fn is_shutting_down(&self) -> bool {
        self.0.life_cycle.is_shutting_down()
    }

    /// Waits until a stop is requested, at most for `timeout` (`None` and [`Duration::MAX`]: without limit; zero: does
    /// not wait). Returns whether one was requested. For handlers and other threads that do something at intervals:
    /// it is a sleep that a stop ends.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # use std::time::Duration;
    /// /// Sends the time until the server stops or the client leaves.
    /// let ticker = handler_fn(|request: &mut TcpRequest| {
    ///     let server = request.server().clone();
    ///     while !server.wait_for_stop(Duration::from_millis(1)) {
    ///         writeln!(request, "tick")?;
    ///     }
    ///     Ok(())
    /// });
    /// # let server = ThreadingTcpServer::bind("127.0.0.1:0", ticker)?.spawn()?;
    /// # let mut client = std::net::TcpStream::connect(server.server_address())?;
    /// # client.read_exact(&mut [0; 10])?;
    /// # assert_eq!(server.stop()?.completed, 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// A coroutine lets other coroutines run meanwhile. In a forked child, the stop of the server in the parent
    /// process is noticed when the server is closed. Python: `threading.Event.wait`, with an event of one's own.
    #[doc(alias = "Event")]
    pub fn wait_for_stop(&self, timeout: impl Into<Option<Duration>>) -> bool {
        self.0.wait_for_stop(timeout.into())
    }

    /// Returns the phase of the server's life. In a forked child, always [`Phase::Serving`].
    ///
    /// ```
    /// use socketserver::{Phase, prelude::*};
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?;
    /// let handle = server.handle();
    /// assert_eq!((handle.phase(), handle.is_ready()), (Phase::Bound, false));
    /// let server = server.spawn()?;
    /// assert_eq!((handle.phase(), handle.is_ready()), (Phase::Serving, true));
    /// server.stop()?;
    /// assert!(handle.is_shutting_down() && !handle.is_ready());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn phase(&self) -> Phase {
        if self.0.in_forked_child() {
            return Phase::Serving;
        }
        self.0.life_cycle.phase()
    }

    /// Returns whether the server serves and no stop was requested, for a health check. `false` from the
    /// request of a stop on, also while a [lame duck](crate::Server::lame_duck) continues to serve.
    ///
    /// See the [example](Self::phase).
    #[doc(alias = "readiness")]
    #[doc(alias = "health")]
    pub fn is_ready(&self) -> bool {
        self.phase() == Phase::Serving && !self.is_shutting_down()
    }

    /// Returns the requests that are running or queued now. A stop waits for these requests. In a forked
    /// child, the list is empty.
    ///
    /// > **Coming from Python.** `_threads` is a list of threads, without the clients that they serve.
    ///
    /// ```
    /// use socketserver::{Activity, prelude::*, testing::wait_until};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| Ok(request.readline(100).map(drop)?));
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
    /// let mut client = std::net::TcpStream::connect(server.server_address())?;
    /// client.write_all(b"he")?; // no line end
    /// wait_until("the handler reads", || {
    ///     server.handle().requests().iter().any(|request| request.bytes_received() == 2)
    /// });
    /// let requests = server.handle().requests();
    /// let request = &requests[0];
    /// assert!(request.id() > 0 && request.age() >= request.idle() && request.process_id().is_none());
    /// assert!(matches!(request.activity(), Activity::Reading | Activity::Running));
    /// request.sender().ok_or("not connected")?.send_all("bye")?;
    /// request.close();
    /// assert_eq!(std::io::read_to_string(client)?, "bye");
    /// assert_eq!(request.bytes_sent(), 0); // when the description was made
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "connections")]
    #[doc(alias = "_threads")]
    pub fn requests(&self) -> Vec<RequestInfo> {
        self.0.requests()
    }

    /// Sends all of `data` to the client of every live connection, to all at the same time, and returns a
    /// result for each. The whole call takes at most `timeout`, also if many clients do not read. With zero, it sends
    /// what the sockets have space for; with [`Duration::MAX`], it waits without limit.
    ///
    /// A client that has not received all of it by then has an error of kind `TimedOut`. If it has received
    /// a part, its connection is closed, because the next message would begin in the middle of this one. If
    /// it has received nothing, it stays connected, and the next broadcast may wait for it again, unless you
    /// [`close`](RequestInfo::close) it.
    ///
    /// A client whose handshake is not complete (TLS, or the header of a proxy) gets nothing, and has an error of kind
    /// `NotConnected`.
    ///
    /// The message does not mix with what handlers and senders send. Clients of datagrams get nothing,
    /// because they are not connected.
    ///
    /// In a forked child, sends nothing and returns an empty list.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # use std::time::Duration;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.readline(100).map(drop)?));
    /// # let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
    /// let results = server.handle().broadcast("the server stops in ten minutes\n", Duration::from_secs(1));
    /// let received = results.iter().filter(|(_, result)| result.is_ok()).count();
    /// println!("{received} of {} clients have the message", results.len());
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "send_to_all")]
    pub fn broadcast<D: AsRef<[u8]>>(
        &self,
        data: D,
        timeout: Duration,
    ) -> Vec<(RequestInfo, io::Result<()>)> {
        if self.0.in_forked_child() {
            return Vec::new();
        }
        let live = self.0.connections.live();
        let infos: Vec<_> = live.iter().map(RequestInfo::with_sender).collect();
        let results = send_to_all(&live, data.as_ref(), timeout);
        infos.into_iter().zip(results).collect()
    }

    /// Waits until no request is running or queued, at most for `timeout` (`None` and [`Duration::MAX`]:
    /// without limit; zero: does not wait). Returns whether that is so. In a handler of this server, returns `false`
    /// at once instead of waiting for itself. Also returns `false` at once in a forked child.
    ///
    /// Does not stop the server from accepting new requests. Call [`shutdown`](Self::shutdown) first for that.
    ///
    /// See the [example](crate::Server::stats).
    pub fn wait_until_idle(&self, timeout: impl Into<Option<Duration>>) -> bool {
        if self.0.in_forked_child() || reentrancy::is_busy_for(self.0.id()) {
            return false;
        }
        let deadline = deadline_after(timeout.into());
        self.0.wait_until_idle(deadline)
    }

    /// Returns the address to which the server is bound. If port 0 was requested, it contains the port that
    /// the system chose.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?;
    /// let port = server.handle().server_address().port();
    /// assert_eq!(port, Some(server.server_address().port()));
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn server_address(&self) -> &SocketAddress {
        &self.0.address
    }

    /// Returns all addresses to which the server is bound, in the order of `bind`.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TcpServer::bind(["127.0.0.1:0", "127.0.0.1:0"], service)?;
    /// let handle = server.handle();
    /// assert_eq!(handle.server_addresses().len(), 2);
    /// assert_eq!(&handle.server_addresses()[0], handle.server_address());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn server_addresses(&self) -> &[SocketAddress] {
        &self.0.addresses
    }

    /// Returns a snapshot of the server's counters.
    ///
    /// See the [example](crate::Server::stats).
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }
}

pub(super) fn deadline_after(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("server_address", self.server_address())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
