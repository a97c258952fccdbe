//! The access list of a server.

use crate::server::ServerOptions;
use crate::state::{AccessList, Rejection};

/// # Access list
impl<T, S, M> ServerOptions<T, S, M> {
    /// Sets which clients are admitted, by the networks of their addresses. Default, as in Python: all.
    ///
    /// A connection of a denied client is closed on the accept loop, before anything is spent on it: no thread,
    /// child process or coroutine, no place of [`max_connections`](Self::max_connections), no token of
    /// [`accept_rate`](Self::accept_rate), and [`verify_request`](crate::Service::verify_request) is not called. A
    /// datagram of a denied client is dropped. Both count in
    /// [`Stats::rejected_by`](crate::Stats::rejected_by), as `access_list`.
    ///
    /// The address of a client is known only after its connection is accepted. So while
    /// [`OverloadPolicy::Wait`](crate::OverloadPolicy::Wait) leaves connections in the backlog, those of denied clients
    /// wait there too.
    ///
    /// Clients without an IP address, which are those of Unix sockets, are always admitted. The list can be changed
    /// while the server serves: [`ServerHandle::set_access_list`](crate::ServerHandle::set_access_list).
    ///
    /// ```
    /// use socketserver::prelude::*;
    /// use socketserver::{AccessList, testing::wait_until};
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::options()
    ///     .access_list(AccessList::new().allow("10.0.0.0/8")?.deny("10.9.0.0/16")?)
    ///     .at_denied(Rejection::message("not from here\r\n"))
    ///     .bind("127.0.0.1:0", service)?
    ///     .spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?; // from 127.0.0.1
    /// assert_eq!(std::io::read_to_string(client)?, "not from here\r\n");
    /// assert_eq!(server.stats().rejected_by.access_list, 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "allow")]
    #[doc(alias = "deny")]
    #[doc(alias = "hosts_allow")]
    pub fn access_list(mut self, list: AccessList) -> Self {
        self.limits.access_list = list;
        self
    }

    /// Sets how a connection of a client is rejected that the [`access_list`](Self::access_list) denies. Default:
    /// [`Rejection::Close`]. Has no effect on datagrams, which are dropped.
    ///
    /// See the [example](Self::access_list).
    pub fn at_denied(mut self, rejection: Rejection) -> Self {
        self.limits.at_denied = rejection;
        self
    }
}
