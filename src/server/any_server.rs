//! Running servers of any types.

use std::fmt;

use crate::address::SocketAddress;
use crate::error::Error;
use crate::server::{DrainReport, RunningServer};
use crate::service::Service;
use crate::state::ServerHandle;
use crate::strategy::Strategy;
use crate::transport::Transport;

/// A server that runs in the background, without the types of its transport, service and strategy. Servers
/// of several kinds fit into one collection. Made by [`RunningServer::into_any`].
///
/// Servers that serve and stop together are a [`ServerGroup`](crate::ServerGroup).
///
/// Dropping it stops the server, as for a `RunningServer`. To stop several servers, tell all of them first,
/// so that their grace periods run at the same time:
///
/// ```
/// use socketserver::prelude::*;
///
/// fn echo<R: Request>(request: &mut R) -> Result {
///     let line = request.readline(1000)?;
///     Ok(request.send_all(line)?)
/// }
///
/// let servers: Vec<AnyServer> = vec![
///     ThreadingTcpServer::bind("127.0.0.1:0", handler_fn(echo))?.spawn()?.into_any(),
///     UdpServer::bind("127.0.0.1:0", handler_fn(echo))?.spawn()?.into_any(),
/// ];
/// for server in &servers {
///     println!("listening on {}", server.server_address());
/// }
/// for server in &servers {
///     server.shutdown(); // does not wait
/// }
/// for server in servers {
///     println!("{}", server.stop()?);
/// }
/// # Ok::<(), BoxError>(())
/// ```
#[must_use = "dropping it stops the server at once: keep it for as long as the server should run"]
pub struct AnyServer {
    handle: ServerHandle,
    server: Box<dyn Stoppable>,
}

trait Stoppable: Send {
    fn stop(self: Box<Self>) -> Result<DrainReport, Error>;
    fn join(self: Box<Self>) -> Result<DrainReport, Error>;
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> Stoppable for RunningServer<T, S, M> {
    fn stop(self: Box<Self>) -> Result<DrainReport, Error> {
        (*self).stop()
    }

    fn join(self: Box<Self>) -> Result<DrainReport, Error> {
        (*self).join()
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> RunningServer<T, S, M> {
    /// Removes the types of transport, service and strategy, so that servers of several kinds fit into one
    /// collection.
    ///
    /// See the [example](AnyServer).
    pub fn into_any(self) -> AnyServer {
        AnyServer {
            handle: self.handle(),
            server: Box::new(self),
        }
    }
}

impl AnyServer {
    /// Returns the address that the server is bound to.
    ///
    /// See the [example](Self).
    pub fn server_address(&self) -> &SocketAddress {
        self.handle.server_address()
    }

    /// Returns all addresses that the server is bound to.
    ///
    /// See the [example](ServerHandle::server_addresses).
    pub fn server_addresses(&self) -> &[SocketAddress] {
        self.handle.server_addresses()
    }

    /// Returns a handle that stops and observes the server from other threads.
    ///
    /// See the [example](Self::join).
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Requests that the server stop: see [`ServerHandle::shutdown`].
    ///
    /// See the [example](Self).
    pub fn shutdown(&self) {
        self.handle.shutdown();
    }

    /// Stops the server: see [`RunningServer::stop`].
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// As for [`RunningServer::stop`].
    pub fn stop(self) -> Result<DrainReport, Error> {
        self.server.stop()
    }

    /// Waits for a stop: see [`RunningServer::join`].
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| Ok(request.server().shutdown()));
    /// let server: AnyServer = TcpServer::bind("127.0.0.1:0", service)?.spawn()?.into_any();
    /// let handle = server.handle();
    /// # let _client = std::net::TcpStream::connect(server.server_address().to_string())?;
    /// server.join()?; // until a handler stops the server
    /// assert_eq!(handle.stats().completed, 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`RunningServer::stop`].
    pub fn join(self) -> Result<DrainReport, Error> {
        self.server.join()
    }
}

impl fmt::Debug for AnyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyServer").field(&self.handle).finish()
    }
}
