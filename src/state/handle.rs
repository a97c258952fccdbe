//! The handle: what others may do with a server while it serves.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::address::SocketAddress;
use crate::reentrancy::{self, Role};
use crate::state::broadcast::send_to_all;
use crate::state::server_state::info_with_sender;
use crate::state::{Phase, RequestInfo, ServerState, Stats};

/// Controls a server from anywhere: another thread, a signal handler's thread, one of its own
/// handlers ([`Request::server`](crate::Request::server)). Cheap to clone.
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
    /// Asks `serve_forever` to return. Does not wait for that, so it can be called from anywhere,
    /// any number of times, and cannot deadlock; the loop is woken at once.
    ///
    /// - Running requests go on; [`Server::server_close`](crate::Server::server_close), or
    ///   dropping the server, waits for them.
    /// - Where the loop runs the requests itself ([`Sequential`](crate::Sequential)), it returns
    ///   after the request at hand, which is cut off after the
    ///   [grace period](crate::Server::grace_period).
    /// - Before the first `serve_forever`, the request is remembered: that `serve_forever` will
    ///   return at once. After a `serve_forever` has returned it does nothing, so that a late or
    ///   second call does not end the next run.
    /// - [`Server::handle_request`](crate::Server::handle_request) ends as well.
    ///
    /// > **Coming from Python.** There, `shutdown()` waits until the loop has left, which takes up
    /// > to `poll_interval`, and waits for ever on the thread that runs the loop. Here waiting is a
    /// > call of its own: [`wait`](Self::wait).
    pub fn shutdown(&self) {
        self.0.request_stop();
    }

    /// Waits until `serve_forever` has returned, at most `timeout` (`None`: without limit).
    /// Returns whether it has; `true` at once if it is not running.
    ///
    /// On a thread that runs the loop, as a handler of a sequential server does, it returns
    /// `false` at once instead of waiting for itself.
    ///
    /// "Not running" is also a server that has not begun to serve: a thread that is started before
    /// `serve_forever` may find that. After [`spawn`](crate::Server::spawn) it is running, so that the main
    /// thread can do something at intervals until a stop is asked for:
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

    /// Whether a stop was asked for since the server has begun to serve, or it is being closed. A
    /// handler that works for long, or keeps its client for many requests, can look at this from time to
    /// time. It costs next to nothing.
    #[doc(alias = "_BaseServer__shutdown_request")]
    pub fn is_shutting_down(&self) -> bool {
        self.0.life_cycle.is_shutting_down()
    }

    /// Where the server is in its life.
    pub fn phase(&self) -> Phase {
        if self.0.in_forked_child() {
            return Phase::Serving;
        }
        self.0.life_cycle.phase()
    }

    /// Whether the server serves, and goes on doing so: what a health check should say. `false` from the
    /// moment when a stop is asked for, also while a [lame duck](crate::Server::lame_duck) still serves.
    #[doc(alias = "readiness")]
    #[doc(alias = "health")]
    pub fn is_ready(&self) -> bool {
        self.phase() == Phase::Serving && !self.is_shutting_down()
    }

    /// The requests that are running, or waiting for a thread, right now: who, since when, doing what.
    /// While a stop waits, these are the ones that it waits for.
    ///
    /// Python's `_threads` is a list of threads, and nothing tells whom they serve.
    ///
    /// In a forked child the list is empty.
    #[doc(alias = "connections")]
    #[doc(alias = "_threads")]
    pub fn requests(&self) -> Vec<RequestInfo> {
        self.0.requests()
    }

    /// Sends all of `data` to the client of every live connection, side by side, and returns how that
    /// went, in the order of [`requests`](Self::requests). It takes at most `timeout`, however many do
    /// not read. A client that has not taken all of it by then is an error of kind `TimedOut`; one that
    /// has taken a part of it is closed, because what would come next could only confuse it. One that has
    /// taken nothing stays, and costs the next broadcast the whole time again, unless you
    /// [`close`](RequestInfo::close) it.
    ///
    /// Each message arrives in one piece, not mixed with what handlers and senders send. Clients of
    /// datagrams are not connected, and get nothing.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # use std::time::Duration;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.readline(100).map(drop)?));
    /// # let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
    /// let sent = server.handle().broadcast("the kitchen closes in ten minutes\n", Duration::from_secs(1));
    /// let heard = sent.iter().filter(|(_, result)| result.is_ok()).count();
    /// println!("{heard} of {} clients know", sent.len());
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
        let infos: Vec<_> = live.iter().map(info_with_sender).collect();
        let results = send_to_all(&live, data.as_ref(), timeout);
        infos.into_iter().zip(results).collect()
    }

    /// Waits until no request is running, at most `timeout` (`None`: without limit). Returns whether it
    /// came to that. In a handler of this server it returns `false` at once instead of waiting for itself.
    ///
    /// It does not keep new ones from coming: after [`shutdown`](Self::shutdown), none do.
    pub fn wait_until_idle(&self, timeout: impl Into<Option<Duration>>) -> bool {
        if self.0.in_forked_child() || reentrancy::is_busy_for(self.0.id()) {
            return false;
        }
        let deadline = deadline_after(timeout.into());
        self.0.wait_until_idle(deadline)
    }

    /// Where the server is bound; with port 0 asked for, the port that the system picked.
    pub fn server_address(&self) -> &SocketAddress {
        &self.0.address
    }

    /// The server's counters at this moment.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }
}

fn deadline_after(timeout: Option<Duration>) -> Option<Instant> {
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
