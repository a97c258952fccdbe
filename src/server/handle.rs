//! The handle: what others may do with a server while it serves.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::core::Core;
use super::current::{self, Role};
use super::stats::Stats;
use crate::address::ServerAddress;
use crate::request::Live;

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
pub struct ServerHandle(pub(crate) Arc<Core>);

impl ServerHandle {
    /// Asks `serve_forever` to return. Does not wait for that, so it can be called from anywhere,
    /// any number of times, and cannot deadlock; the loop is woken at once.
    ///
    /// - Running requests go on; [`Server::server_close`](crate::Server::server_close), or
    ///   dropping the server, waits for them.
    /// - Where the loop runs the requests itself ([`Sequential`](crate::Sequential)), it returns
    ///   after the request at hand, which is cut off after the
    ///   [grace period](crate::Server::grace).
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
    #[doc(alias = "_BaseServer__is_shut_down")]
    pub fn wait(&self, timeout: impl Into<Option<Duration>>) -> bool {
        !current::is(&self.0, Role::Loop) && self.0.wait_until_stopped(timeout.into())
    }

    /// Whether a stop was asked for and the loop has not left yet, or the server is being closed. A
    /// handler that works for long without reading or writing can look at this from time to time.
    #[doc(alias = "_BaseServer__shutdown_request")]
    pub fn is_shutting_down(&self) -> bool {
        self.0.is_stopping() || self.0.is_closing()
    }

    /// Where the server is bound; with port 0 asked for, the port that the system picked.
    pub fn server_address(&self) -> &ServerAddress {
        &self.0.address
    }

    /// The server's counters at this moment.
    pub fn stats(&self) -> Stats {
        self.0.counters.stats()
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.0.connections.are_interrupted()
    }

    pub(crate) fn register(&self, connection: Weak<dyn Live>) -> usize {
        self.0.connections.register(connection)
    }

    pub(crate) fn unregister(&self, place: usize) {
        self.0.connections.unregister(place);
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("server_address", self.server_address())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
