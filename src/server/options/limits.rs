//! The limits on which clients are accepted.

use std::time::Instant;

use crate::server::ServerOptions;
use crate::state::limits::TokenBucket;
use crate::state::{OverloadPolicy, Rejection};
use crate::transport::Stream;

/// # Limits
///
/// [`ServerHandle`](crate::ServerHandle#limits) can change them while the server serves. Servers with
/// connections have them. Datagram servers have not: a datagram has no connection that could
/// wait or be rejected, and the kernel drops datagrams for which the socket's buffer has no space.
impl<T, S, M> ServerOptions<T, S, M> {
    /// Limits the number of connections at the same time, whatever their state: being served, waiting
    /// for a thread, or in a child process. At least 1. `None`, the default: as many as the strategy
    /// takes. Python has limits only for child processes (`max_children`).
    ///
    /// The limit holds for all threads and accept loops together, and under
    /// [`handle_request`](crate::Server::handle_request) too: [`Stats::active`](crate::Stats::active)
    /// never exceeds it. A connection of a [forking](crate::Forking) server counts until its child process
    /// has been reaped. Under every strategy, a connection stops counting a moment after its client has
    /// seen the end.
    ///
    /// When the server is closed, the connections in the backlog are accepted by the same rules
    /// ([`BacklogPolicy`](crate::BacklogPolicy)). If [`accept_rate`](Self::accept_rate) allows the next
    /// connection only after the grace period, the remaining ones are rejected.
    ///
    /// ```
    /// # use socketserver::{Request, TcpRequest, handler_fn};
    /// use socketserver::{Rejection, ThreadingTcpServer};
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
    /// let server = ThreadingTcpServer::options()
    ///     .max_connections(500)
    ///     .at_max_connections(Rejection::message("421 too busy\r\n"))
    ///     .max_per_client(20)
    ///     .accept_rate(100.0, 200)
    ///     .bind("127.0.0.1:0", service)?;
    /// # let _ = server;
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    ///
    /// By default no limit is set, because the right one depends on the program, and clients that share
    /// an address, such as those of a test, would exceed it. A server without limits is protected by the
    /// capacities of the strategies:
    ///
    /// | limit | default | Python | at the limit, by default |
    /// | --- | --- | --- | --- |
    /// | `max_connections` | none | none | [`OverloadPolicy::Wait`] |
    /// | [`max_per_client`](Self::max_per_client) | none | none | [`Rejection::Close`] |
    /// | [`accept_rate`](Self::accept_rate) | none | none | [`OverloadPolicy::Wait`] |
    /// | [`Threading::max_threads`](crate::Threading::max_threads) | 1024 | none | clients wait |
    /// | [`ThreadPool`](crate::ThreadPool) | its threads, and as many in its queue | by hand | clients wait |
    /// | [`Forking::max_children`](crate::Forking::max_children) | 40 | 40 | clients wait |
    /// | [`Coroutines::max_coroutines`](crate::Coroutines::max_coroutines) | 16,384 | none | clients wait |
    /// | [`Sequential`](crate::Sequential) | one at a time | one at a time | clients wait |
    /// | [`request_queue_size`](Self::request_queue_size) | `SOMAXCONN` | 5; `SOMAXCONN` since 3.15 | the kernel ignores clients, which try again |
    ///
    /// If a limit and the capacity of a strategy differ, the smaller one applies. Under
    /// [`Sequential`](crate::Sequential) there is never more than one connection, if there are no handshakes.
    ///
    /// Connections in their [handshake](Self::handshake_timeout) count for `max_connections`, but take no place of
    /// these strategies. Without `max_connections`, only the descriptors of the process limit their number. When there
    /// is none left, those that have taken longest for their handshake are ended, and counted as
    /// [rejected](crate::RejectionCounts::descriptors) for lack of descriptors.
    #[doc(alias = "max_children")]
    #[doc(alias = "gevent.pool.Pool")]
    pub fn max_connections(mut self, most: impl Into<Option<usize>>) -> Self
    where
        T: Stream,
    {
        self.limits.max_connections = most.into().map(|most| most.max(1));
        self
    }

    /// Sets what happens to clients while there are [`max_connections`](Self::max_connections). Default:
    /// [`OverloadPolicy::Wait`]. A [`Rejection`] is an `OverloadPolicy` too.
    ///
    /// See the [example](Self::max_connections).
    pub fn at_max_connections(mut self, policy: impl Into<OverloadPolicy>) -> Self
    where
        T: Stream,
    {
        self.limits.at_max_connections = policy.into();
        self
    }

    /// Limits the number of connections that one client may have at the same time. At least 1. `None`,
    /// the default (as in Python): no limit.
    ///
    /// A client is an IPv4 address, or an IPv6 network of 64 bits, because a client usually controls all
    /// addresses of its network. An IPv4 client of a server for both families (`::ffff:192.0.2.1`) is its
    /// IPv4 address. So all clients behind one router or proxy count as one, and so do all clients with
    /// link-local addresses. Clients of Unix sockets have no address, and the limit has no effect on them.
    ///
    /// Memory is used only for clients that have a connection.
    ///
    /// See the [example](Self::max_connections).
    pub fn max_per_client(mut self, most: impl Into<Option<usize>>) -> Self
    where
        T: Stream,
    {
        self.limits.max_per_client = most.into().map(|most| most.max(1));
        self
    }

    /// Sets what happens to a connection of a client that has [`max_per_client`](Self::max_per_client)
    /// connections already. Default: [`Rejection::Close`].
    ///
    /// There is no policy of waiting, because the address is known only after the connection is
    /// accepted, and a connection left in the backlog would delay all other clients.
    ///
    /// See the [example](Self::at_accept_rate).
    pub fn at_max_per_client(mut self, rejection: Rejection) -> Self
    where
        T: Stream,
    {
        self.limits.at_max_per_client = rejection;
        self
    }

    /// Limits the rate of accepted connections, by a token bucket: `per_second` in the long run, and
    /// `burst` (at least 1) at once after a quiet time. Default, as in Python: no limit.
    ///
    /// The bucket holds up to `burst` tokens, and gets a new one every `1 / per_second` seconds. Each
    /// connection that is accepted to be served costs a token, also if it is rejected later, for example
    /// by `verify_request`. A connection that a limit rejects costs none. A `per_second` of infinity means
    /// no limit. Zero, a negative number or NaN means one connection in a hundred years after the burst.
    ///
    /// See the [example](Self::max_connections).
    pub fn accept_rate(mut self, per_second: f64, burst: u32) -> Self
    where
        T: Stream,
    {
        self.limits.accept_rate = TokenBucket::new(per_second, burst, Instant::now());
        self
    }

    /// Sets what happens to clients that connect faster than [`accept_rate`](Self::accept_rate) allows.
    /// Default: [`OverloadPolicy::Wait`]. A [`Rejection`] is an `OverloadPolicy` too.
    ///
    /// For [`OverloadPolicy::WaitAtMost`], each new token restarts the time. So a time of more than
    /// `1 / per_second` seconds has the effect of [`OverloadPolicy::Wait`]. While
    /// [`max_connections`](Self::max_connections) is reached too, the policy of that limit applies.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::options()
    ///     .max_per_client(20)
    ///     .at_max_per_client(Rejection::Reset)
    ///     .accept_rate(100.0, 1)
    ///     .at_accept_rate(Rejection::message("421 slow down\r\n"))
    ///     .bind("127.0.0.1:0", service)?
    ///     .spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// assert_eq!(server.stats().rejected, 0);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn at_accept_rate(mut self, policy: impl Into<OverloadPolicy>) -> Self
    where
        T: Stream,
    {
        self.limits.at_accept_rate = policy.into();
        self
    }
}
