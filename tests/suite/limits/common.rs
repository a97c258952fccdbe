//! Helpers of the tests of limits, with and without child processes.

use std::any::TypeId;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use socketserver::transport::Tcp;
use socketserver::{
    OverloadPolicy, Rejection, Request, Sequential, Server, ServerHandle, ServerOptions, Service,
    Strategy,
};

use crate::support::net::*;

/// Makes a strategy: a function pointer, so that one check can start several servers.
pub(crate) type MakeStrategy = fn() -> Box<dyn Strategy>;

/// Options of a server whose strategy is set after binding.
pub(crate) type Options<T, S> = ServerOptions<T, S, Sequential>;

/// Grace period of the servers of these tests: short, because their tests stop them with open connections.
pub(crate) const GRACE_PERIOD: Duration = Duration::from_millis(20);

/// Starts a server with these limits and [`GRACE_PERIOD`].
pub(crate) fn start<T: Connected, S: Service<T::Request>, M: Strategy>(
    strategy: M,
    service: S,
    limits: impl FnOnce(Options<T, S>) -> Options<T, S>,
) -> Host<T, S, M> {
    start_with(strategy, service, limits, |server| server)
}

/// Starts a server with these limits and [`GRACE_PERIOD`], after `adjust` has changed its settings.
pub(crate) fn start_with<T: Connected, S: Service<T::Request>, M: Strategy>(
    strategy: M,
    service: S,
    limits: impl FnOnce(Options<T, S>) -> Options<T, S>,
    adjust: impl FnOnce(Server<T, S, M>) -> Server<T, S, M>,
) -> Host<T, S, M> {
    host_with(service, limits, |server| {
        adjust(server.strategy(strategy).grace_period(GRACE_PERIOD))
    })
}

/// Samples the number of active connections of a server in the background, and checks that it never
/// exceeds a limit.
pub(crate) struct Watch {
    ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<u64>,
    limit: u64,
}

impl Watch {
    pub(crate) fn start(handle: ServerHandle, limit: usize) -> Self {
        let ended: Arc<AtomicBool> = Arc::default();
        let thread = thread::spawn({
            let ended = Arc::clone(&ended);
            move || {
                let mut most = 0;
                while !ended.load(Ordering::SeqCst) {
                    most = most.max(handle.stats().active);
                    thread::yield_now();
                }
                most
            }
        });
        let limit = limit as u64;
        Self {
            ended,
            thread,
            limit,
        }
    }

    /// Ends the watch and fails if the limit was exceeded.
    #[track_caller]
    pub(crate) fn end(self) {
        self.ended.store(true, Ordering::SeqCst);
        let most = self.thread.join().unwrap();
        assert!(
            most <= self.limit,
            "{most} connections at once, the limit is {}",
            self.limit
        );
    }
}

/// Checks that the counters of a server add up.
#[track_caller]
pub(crate) fn adds_up(handle: &ServerHandle) {
    let stats = handle.stats();
    let by_themselves = stats.completed + stats.failed + stats.disconnected;
    let ended = by_themselves + stats.force_closed + stats.dropped + stats.rejected;
    assert_eq!(stats.accepted, ended + stats.active, "{stats:?}");
    let by = stats.rejected_by;
    let rejected = by.verify_request
        + by.strategy
        + by.max_connections
        + by.max_per_client
        + by.accept_rate
        + by.access_list
        + by.descriptors
        + by.handshake
        + by.closing;
    assert_eq!(stats.rejected, rejected, "{stats:?}");
}

/// Service of [`LineEcho`] handlers. Unlike a closure, it has a type that tests can name.
pub(crate) struct LineEchoes;

impl<R: Request> Service<R> for LineEchoes {
    type Handler = LineEcho;

    fn request_handler(self: &Arc<Self>) -> LineEcho {
        LineEcho
    }
}

/// Connects this many clients, and waits until a handler has answered each.
#[track_caller]
pub(crate) fn fill<T: Connected, S: Service<T::Request>, M: Strategy>(
    host: &Host<T, S, M>,
    count: usize,
) -> Vec<Client> {
    let clients: Vec<_> = (0..count).map(|_| host.client()).collect();
    for client in &clients {
        assert_eq!(client.ask("first\n"), "first\n");
    }
    clients
}

/// Half-closes clients, and then closes them. Closing alone may not be enough, because child processes of
/// this process may have copies of the sockets.
pub(crate) fn leave(clients: impl IntoIterator<Item = Client>) {
    for client in clients {
        client.finish();
    }
}

/// Connects a client that has this address.
#[track_caller]
pub(crate) fn client_from(ip: &str, server: SocketAddr) -> Client {
    try_client_from(ip, server).unwrap()
}

pub(crate) fn try_client_from(ip: &str, server: SocketAddr) -> io::Result<Client> {
    let own = SocketAddr::new(ip.parse().unwrap(), 0);
    let socket = Socket::new(Domain::for_address(own), Type::STREAM, None)?;
    socket.bind(&own.into())?;
    socket.connect(&server.into())?;
    Ok(Client::new(TcpStream::from(socket)))
}

/// Every kind of rejection.
pub(crate) fn rejections() -> [Rejection; 4] {
    [
        Rejection::Close,
        Rejection::message("421 too busy\r\n"),
        Rejection::Message(Vec::new()),
        Rejection::Reset,
    ]
}

/// Every policy that rejects at once.
pub(crate) fn rejecting_policies() -> Vec<OverloadPolicy> {
    let mut policies: Vec<_> = rejections().map(OverloadPolicy::from).into();
    policies.push(OverloadPolicy::WaitAtMost(Duration::ZERO));
    policies
}

/// Checks that the next client is rejected as this policy specifies.
#[track_caller]
pub(crate) fn expect_rejection<T: Connected, S: Service<T::Request>, M: Strategy>(
    host: &Host<T, S, M>,
    policy: impl Into<OverloadPolicy>,
) {
    expect_rejected::<T>(T::try_connect(host.server.server_address()), policy);
}

/// Checks that a client, whose connect had this result, is rejected as this policy specifies.
#[track_caller]
pub(crate) fn expect_rejected<T: Connected>(
    connected: io::Result<Client>,
    policy: impl Into<OverloadPolicy>,
) {
    match policy.into() {
        OverloadPolicy::Reject(Rejection::Message(message)) => {
            assert_eq!(connected.unwrap().rest(), message);
        }
        OverloadPolicy::Reject(Rejection::Reset) if TypeId::of::<T>() == TypeId::of::<Tcp>() => {
            // The reset may arrive before `connect` returns.
            let error = connected
                .and_then(|client| client.try_receive())
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        _ => connected.unwrap().expect_end(),
    }
}
