//! Changing the limits of a server while it serves.

use std::time::Instant;

use crate::state::limits::{Limits, TokenBucket};
use crate::state::{AccessList, OverloadPolicy, Rejection, ServerHandle};

/// # Limits
///
/// The limits of [`ServerOptions`](crate::ServerOptions) can be changed at any time, on any thread, also in a
/// handler of this server, and also if the server was bound without them. A change applies to the next
/// connection. A connection that is being accepted at the moment of the change may still be admitted by the
/// earlier limit. Open connections stay open.
///
/// Limits of connections have no effect on servers of datagrams, as in `ServerOptions`. The access list has. In
/// a forked child, these methods do nothing, because the server belongs to the parent.
impl ServerHandle {
    /// Changes [`max_connections`](crate::ServerOptions::max_connections). `None`: no limit.
    ///
    /// A higher limit admits clients that wait in the backlog at once. While more connections are open than a
    /// lower limit allows, none are accepted, or they are rejected: see
    /// [`at_max_connections`](crate::ServerOptions::at_max_connections).
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::TestServer};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     request.send_all("welcome\n")?;
    ///     let line = request.readline(100)?;
    ///     Ok(request.send_all(&line)?)
    /// });
    /// let options = ThreadingTcpServer::options().at_max_connections(Rejection::Close);
    /// let server = TestServer::start(options.bind("127.0.0.1:0", service)?);
    /// let mut first = server.client();
    /// assert_eq!(first.readline()?, b"welcome\n");
    /// let handle = server.handle();
    /// handle.set_max_connections(1);
    /// assert_eq!(server.client().readline()?, b""); // rejected
    /// handle.set_max_connections(None);
    /// assert_eq!(server.client().readline()?, b"welcome\n");
    /// first.send_all("still open\n")?;
    /// assert_eq!(first.readline()?, b"still open\n");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn set_max_connections(&self, most: impl Into<Option<usize>>) {
        let most = most.into();
        self.change_limits(|limits| limits.set_max_connections(most, &self.0.waker));
    }

    /// Changes [`at_max_connections`](crate::ServerOptions::at_max_connections). The time of
    /// [`OverloadPolicy::WaitAtMost`] starts anew.
    ///
    /// See the [example](Self::set_accept_rate).
    pub fn set_at_max_connections(&self, policy: impl Into<OverloadPolicy>) {
        let policy = policy.into();
        self.change_limits(|limits| limits.set_at_max_connections(policy, &self.0.waker));
    }

    /// Changes [`max_per_client`](crate::ServerOptions::max_per_client). `None`: no limit. Connections that are open
    /// already count.
    ///
    /// See the [example](Self::set_accept_rate).
    pub fn set_max_per_client(&self, most: impl Into<Option<usize>>) {
        let most = most.into();
        self.change_limits(|limits| limits.set_max_per_client(most));
    }

    /// Changes [`at_max_per_client`](crate::ServerOptions::at_max_per_client).
    ///
    /// See the [example](Self::set_accept_rate).
    pub fn set_at_max_per_client(&self, rejection: Rejection) {
        self.change_limits(|limits| limits.set_at_max_per_client(rejection));
    }

    /// Changes [`accept_rate`](crate::ServerOptions::accept_rate). A `per_second` of infinity: no limit. A burst is
    /// available at once.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
    /// let handle = server.handle();
    /// handle.set_at_accept_rate(Rejection::message("421 slow down\r\n"));
    /// handle.set_accept_rate(0.0, 1); // one more connection
    /// handle.set_at_max_connections(OverloadPolicy::Wait);
    /// handle.set_max_per_client(20);
    /// handle.set_at_max_per_client(Rejection::Reset);
    /// let ask = || std::io::read_to_string(std::net::TcpStream::connect(server.server_address())?);
    /// assert_eq!([ask()?, ask()?], ["hi", "421 slow down\r\n"]);
    /// handle.set_accept_rate(f64::INFINITY, 1);
    /// assert_eq!(ask()?, "hi");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn set_accept_rate(&self, per_second: f64, burst: u32) {
        let bucket = TokenBucket::new(per_second, burst, Instant::now());
        self.change_limits(|limits| limits.set_accept_rate(bucket, &self.0.waker));
    }

    /// Changes [`at_accept_rate`](crate::ServerOptions::at_accept_rate).
    ///
    /// See the [example](Self::set_accept_rate).
    pub fn set_at_accept_rate(&self, policy: impl Into<OverloadPolicy>) {
        let policy = policy.into();
        self.change_limits(|limits| limits.set_at_accept_rate(policy, &self.0.waker));
    }

    /// Returns the access list. In a forked child, an empty list.
    ///
    /// See the [example](Self::update_access_list).
    pub fn access_list(&self) -> AccessList {
        let mut list = AccessList::new();
        self.change_limits(|limits| list = (*limits.access_list()).clone());
        list
    }

    /// Replaces the [`access_list`](crate::ServerOptions::access_list). It applies to new connections and to the
    /// next datagrams. To end open connections that are denied now, close those of
    /// [`requests`](Self::requests).
    ///
    /// See the [example](Self::update_access_list).
    pub fn set_access_list(&self, list: AccessList) {
        self.change_limits(|limits| {
            limits.set_access_list(None, list);
        });
    }

    /// Replaces the access list by what `update` makes of it, so that no change of another thread is lost.
    /// `update` is called again if another thread has changed the list meanwhile.
    ///
    /// ```
    /// use socketserver::{AccessList, prelude::*, testing::TestServer};
    ///
    /// // Denies a client that sends anything but a greeting.
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     request.send_all("who is there?\n")?;
    ///     if !request.readline(100)?.starts_with(b"hello") {
    ///         let client = request.client_address().ip();
    ///         request.server().update_access_list(|list| list.deny(client))?;
    ///     }
    ///     Ok(request.send_all("bye\n")?)
    /// });
    /// let server = TestServer::start(ThreadingTcpServer::bind("127.0.0.1:0", service)?);
    /// let mut client = server.client();
    /// client.send_all("GET / HTTP/1.1\n")?;
    /// assert_eq!(client.rest()?, b"who is there?\nbye\n");
    /// assert_eq!(server.client().rest()?, b""); // denied
    /// assert_eq!(server.handle().access_list().denied()[0].to_string(), "127.0.0.1/32");
    /// server.handle().set_access_list(AccessList::new());
    /// assert_eq!(server.client().readline()?, b"who is there?\n");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `update`. The list stays as it was.
    pub fn update_access_list<E>(
        &self,
        mut update: impl FnMut(AccessList) -> Result<AccessList, E>,
    ) -> Result<(), E> {
        let mut result = Ok(());
        self.change_limits(|limits| {
            loop {
                let present = limits.access_list();
                let updated = update((*present).clone());
                let is_done = updated.map(|list| limits.set_access_list(Some(&present), list));
                if !matches!(is_done, Ok(false)) {
                    return result = is_done.map(drop);
                }
            }
        });
        result
    }

    /// Changes [`at_denied`](crate::ServerOptions::at_denied).
    ///
    /// ```
    /// use socketserver::{AccessList, prelude::*, testing::TestServer};
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = TestServer::start(ThreadingTcpServer::bind("127.0.0.1:0", service)?);
    /// server.handle().set_at_denied(Rejection::message("closed for today\n"));
    /// server.handle().set_access_list(AccessList::new().deny("127.0.0.0/8")?);
    /// assert_eq!(server.client().rest()?, b"closed for today\n");
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn set_at_denied(&self, rejection: Rejection) {
        self.change_limits(|limits| limits.set_at_denied(rejection));
    }

    /// Does nothing in a forked child, where a lock may be held forever.
    fn change_limits(&self, change: impl FnOnce(&Limits)) {
        if !self.0.in_forked_child() {
            change(&self.0.limits);
        }
    }
}
