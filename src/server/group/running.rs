//! A group of servers that serves in the background.

use std::ops::Deref;

use crate::server::group::ServerGroup;
use crate::server::group::report::{GroupError, GroupReport};

/// A group of servers that serve in the background, from [`ServerGroup::spawn`].
///
/// It derefs to the [`ServerGroup`], so `handle()`, `members()` and `stats()` are there. Dropping it stops all servers,
/// as [`stop`](Self::stop) does.
///
/// See the [example](ServerGroup).
#[derive(Debug)]
#[must_use = "dropping it stops the servers at once: keep it for as long as they should run"]
pub struct RunningGroup(pub(super) ServerGroup);

impl RunningGroup {
    /// Stops all servers at the same time, closes them and waits for their running requests, as
    /// [`RunningServer::stop`](crate::RunningServer::stop) does for one server. Returns the reports.
    ///
    /// See the [example](GroupReport).
    ///
    /// # Errors
    ///
    /// The error of the server that ended by itself, with the reports of all servers.
    pub fn stop(self) -> Result<GroupReport, GroupError> {
        self.0.server_close().into_result()
    }

    /// Waits until a stop is requested, by a signal, a handler or a [`handle`](ServerGroup::handle), and then does what
    /// [`stop`](Self::stop) does. Also returns if a server ends by itself, which stops the group.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| Ok(request.server().shutdown()));
    /// let hello = handler_fn(|request: &mut UdpRequest| Ok(request.send_all("hello")?));
    /// let tcp = TcpServer::bind("127.0.0.1:0", service)?;
    /// let udp = UdpServer::bind(tcp.server_address(), hello)?;
    /// # let _client = std::net::TcpStream::connect(tcp.server_address())?;
    /// let group = ServerGroup::new().add(tcp).add(udp).spawn()?;
    /// let report = group.join()?; // until a handler stops the group
    /// assert_eq!(report.members.len(), 2);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`stop`](Self::stop).
    pub fn join(self) -> Result<GroupReport, GroupError> {
        self.0.wait_for_stop_or_end();
        self.stop()
    }
}

impl Deref for RunningGroup {
    type Target = ServerGroup;

    fn deref(&self) -> &ServerGroup {
        &self.0
    }
}
