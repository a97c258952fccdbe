//! Limits on who is taken in, beside those that the strategies have.

mod bucket;
mod clients;
mod gate;
mod turnstile;

use std::time::{Duration, Instant};

pub(super) use self::clients::Client;
pub(super) use self::gate::{Limits, Verdict};

use self::bucket::Bucket;
use super::Server;
use crate::request::Request;
use crate::service::Service;
use crate::strategy::Strategy;
use crate::sys::socket::reset_on_close;
use crate::transport::{Stream, Transport};

/// What a [`Server`] does about clients while one of its limits is reached:
/// [`max_connections`](Server::max_connections), [`max_per_client`](Server::max_per_client),
/// [`accept_rate`](Server::accept_rate).
///
/// | policy | the client | good where |
/// | --- | --- | --- |
/// | [`Wait`](Self::Wait) | waits in the kernel's queue, connected, and does not notice | clients are patient, and overload is short |
/// | [`WaitAtMost`](Self::WaitAtMost) | the same, but not behind a server that is stuck | somebody else can serve them |
/// | [`Refuse`](Self::Refuse) | reads why, then the end | the protocol has an answer for it: `503`, `421` |
/// | [`Close`](Self::Close) | reads the end | clients try again by themselves |
/// | [`Reset`](Self::Reset) | gets an error | there are too many to be polite to, as in an attack |
///
/// Those who are turned away have no handler, and
/// [`verify_request`](crate::Service::verify_request) is not asked about them; they are counted in
/// [`Stats::refused_by`](crate::Stats::refused_by).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtLimit {
    /// Accept no more until there is room. Clients wait in the kernel's queue
    /// ([`request_queue_size`](crate::ServerOptions::request_queue_size)); nobody is turned away until
    /// that is full too.
    Wait,
    /// The same, but once the limit has been reached for so long without a break, those in the queue and
    /// those who come are closed in order, until there is room again. Zero is [`Close`](Self::Close).
    WaitAtMost(Duration),
    /// Accept, send these bytes as far as that works without waiting, and close in order.
    Refuse(Vec<u8>),
    /// Accept, and close in order.
    Close,
    /// Accept, and reset the connection: the client's next read or write fails with
    /// [`ConnectionReset`](std::io::ErrorKind::ConnectionReset), and neither side has anything left to
    /// remember. A Unix socket is closed without a word, for lack of resets.
    Reset,
}

impl AtLimit {
    /// Turns a client away. Never waits.
    pub(super) fn turn_away<R: Request>(&self, mut request: R) {
        match self {
            Self::Reset => {
                // If it fails, the client is gone already, or is closed without a reset.
                let _ = request.descriptor().map(reset_on_close);
            }
            Self::Refuse(farewell) => request.refuse(farewell),
            Self::Wait | Self::WaitAtMost(_) | Self::Close => request.shutdown_request(),
        }
    }
}

/// # Limits
///
/// They can be set for servers with connections. A datagram has no connection to be refused or left
/// waiting: what the socket has no room for, the kernel drops.
impl<T: Transport, S: Service<T::Request>, M: Strategy> Server<T, S, M> {
    /// How many connections there may be at the same time, of whatever kind: served, waiting for a thread,
    /// or with a child process. At least 1; `None`, the default: as many as the strategy takes.
    ///
    /// The limit is one for all threads and accept loops, and under
    /// [`handle_request`](Self::handle_request) too: [`Stats::active`](crate::Stats::active) never exceeds
    /// it. (Connections from before it was set go on, and count.) A connection of a
    /// [forking](crate::Forking) server counts until its child has been collected. Under every strategy,
    /// the place comes free a moment after the client has seen the end.
    ///
    /// When the server is closed, those who wait in the queue are
    /// [taken in](crate::WaitingClients) by the same rules, except that nobody waits for a token that
    /// comes too late.
    ///
    /// ```
    /// # use socketserver::{Request, TcpRequest, handler_fn};
    /// use socketserver::{AtLimit, ThreadingTcpServer};
    ///
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?
    ///     .max_connections(500)
    ///     .at_max_connections(AtLimit::Refuse("421 too busy\r\n".into()))
    ///     .max_per_client(20)
    ///     .accept_rate(100.0, 200);
    /// # let _ = server;
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    ///
    /// No limit is set unless you do so: which one is right depends on the program, and clients behind one
    /// address, as those of a test are, would run into it. What protects a server without any are the caps
    /// of the strategies, at which clients wait.
    ///
    /// | limit | default | Python | at the limit, by default |
    /// | --- | --- | --- | --- |
    /// | `max_connections` | none | none | [`AtLimit::Wait`] |
    /// | [`max_per_client`](Self::max_per_client) | none | none | [`AtLimit::Close`] |
    /// | [`accept_rate`](Self::accept_rate) | none | none | [`AtLimit::Wait`] |
    /// | [`Threading::max_threads`](crate::Threading::max_threads) | 1024 | none | clients wait |
    /// | [`ThreadPool`](crate::ThreadPool) | its threads, and as many in its queue | by hand | [`WhenFull::Wait`](crate::WhenFull::Wait) |
    /// | [`Forking::max_children`](crate::Forking::max_children) | 40 | 40 | clients wait |
    /// | [`Coroutines::max_coroutines`](crate::Coroutines::max_coroutines) | 16,384 | none | clients wait |
    /// | [`Sequential`](crate::Sequential) | one at a time | one at a time | clients wait |
    /// | [`request_queue_size`](crate::ServerOptions::request_queue_size) | `SOMAXCONN` | 5; `SOMAXCONN` since 3.15 | the kernel ignores clients, who try again |
    ///
    /// The smaller one of a limit and a strategy's cap counts. Under [`Sequential`](crate::Sequential)
    /// there is never more than one.
    #[doc(alias = "max_children")]
    #[doc(alias = "gevent.pool.Pool")]
    pub fn max_connections(self, most: impl Into<Option<usize>>) -> Self
    where
        T: Stream,
    {
        let most = most.into().map(|most| most.max(1));
        self.handle
            .0
            .limits
            .set(|limits| limits.max_connections = most);
        self
    }

    /// What to do about clients while there are [`max_connections`](Self::max_connections). Default:
    /// [`AtLimit::Wait`].
    pub fn at_max_connections(self, policy: AtLimit) -> Self
    where
        T: Stream,
    {
        self.handle
            .0
            .limits
            .set(|limits| limits.at_max_connections = policy);
        self
    }

    /// How many connections one client may have at the same time. At least 1; `None`, the default (as in
    /// Python): no limit.
    ///
    /// A client is an IPv4 address, or an IPv6 network of 64 bits, since whoever has one has all addresses
    /// of it; an IPv4 client of a server for both (`::ffff:192.0.2.1`) is its IPv4 address. So all who share
    /// an address, behind a router or a proxy, are one client, and all who have link-local addresses.
    /// Clients of Unix sockets have no address: there it has no effect.
    ///
    /// Connections from before it was set do not count. Memory is taken for those clients only that have a
    /// connection.
    pub fn max_per_client(self, most: impl Into<Option<usize>>) -> Self
    where
        T: Stream,
    {
        let most = most.into().map(|most| most.max(1));
        self.handle
            .0
            .limits
            .set(|limits| limits.max_per_client = most);
        self
    }

    /// What to do about a client that has [`max_per_client`](Self::max_per_client) connections. Default:
    /// [`AtLimit::Close`].
    ///
    /// Who a client is can be known only once it is accepted, and in the kernel's queue it would keep
    /// all others waiting: [`AtLimit::Wait`] and [`AtLimit::WaitAtMost`] are taken as [`AtLimit::Close`].
    pub fn at_max_per_client(self, policy: AtLimit) -> Self
    where
        T: Stream,
    {
        self.handle
            .0
            .limits
            .set(|limits| limits.at_max_per_client = policy);
        self
    }

    /// How many connections are taken in per second, in the long run, and how many at once after a
    /// quiet time (at least 1): a token bucket. Default, as in Python: no limit.
    ///
    /// Every connection that is taken in costs a token, whatever becomes of it; those that are turned away
    /// by a limit cost none. The bucket has `burst` tokens, and gets a new one every `1 / per_second`
    /// seconds while it is not full. Infinity is no limit; none, less or not a number is one in a
    /// hundred years, after the burst.
    pub fn accept_rate(self, per_second: f64, burst: u32) -> Self
    where
        T: Stream,
    {
        let bucket = Bucket::new(per_second, burst, Instant::now());
        self.handle
            .0
            .limits
            .set(|limits| limits.accept_rate = bucket);
        self
    }

    /// What to do about clients that come faster than [`accept_rate`](Self::accept_rate). Default:
    /// [`AtLimit::Wait`].
    ///
    /// A token is a break for [`AtLimit::WaitAtMost`], so with a time of more than `1 / per_second` seconds
    /// it is [`AtLimit::Wait`]. While [`max_connections`](Self::max_connections) is reached too, its policy
    /// counts.
    pub fn at_accept_rate(self, policy: AtLimit) -> Self
    where
        T: Stream,
    {
        self.handle
            .0
            .limits
            .set(|limits| limits.at_accept_rate = policy);
        self
    }
}
