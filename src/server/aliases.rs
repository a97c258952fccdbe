//! Aliases for the combinations of transport and strategy, with Python's names.

use crate::server::Server;
#[cfg(unix)]
use crate::strategy::Forking;
use crate::strategy::{Coroutines, Sequential, ThreadPool, Threading};
use crate::transport::{Tcp, Udp};
#[cfg(unix)]
use crate::transport::{UnixDatagram, UnixStream};

/// TCP, one client at a time. Python: `TCPServer`.
#[doc(alias = "TCPServer")]
pub type TcpServer<S> = Server<Tcp, S, Sequential>;
/// UDP, one datagram at a time. Python: `UDPServer`.
#[doc(alias = "UDPServer")]
pub type UdpServer<S> = Server<Udp, S, Sequential>;
/// Unix stream sockets, one client at a time. Python: `UnixStreamServer`.
///
/// The socket file stays when the server is closed, as in Python. The next server can bind to this path
/// only with the option [`replace_stale`](crate::ServerOptions::replace_stale).
#[cfg(unix)]
pub type UnixStreamServer<S> = Server<UnixStream, S, Sequential>;
/// Unix datagram sockets, one datagram at a time. Python: `UnixDatagramServer`.
///
/// The socket file stays when the server is closed: see [`UnixStreamServer`].
#[cfg(unix)]
pub type UnixDatagramServer<S> = Server<UnixDatagram, S, Sequential>;

/// TCP, a thread for each client. Python: `ThreadingTCPServer`.
#[doc(alias = "ThreadingTCPServer")]
pub type ThreadingTcpServer<S> = Server<Tcp, S, Threading>;
/// UDP, a thread for each datagram. Python: `ThreadingUDPServer`.
///
/// For handlers that wait for something. Short handlers run many times faster on a
/// [`ThreadPoolUdpServer`] or a plain [`UdpServer`].
#[doc(alias = "ThreadingUDPServer")]
pub type ThreadingUdpServer<S> = Server<Udp, S, Threading>;
/// Unix stream sockets, a thread for each client. Python: `ThreadingUnixStreamServer`.
#[cfg(unix)]
pub type ThreadingUnixStreamServer<S> = Server<UnixStream, S, Threading>;
/// Unix datagram sockets, a thread for each datagram. Python: `ThreadingUnixDatagramServer`.
#[cfg(unix)]
pub type ThreadingUnixDatagramServer<S> = Server<UnixDatagram, S, Threading>;

/// TCP, a fixed number of threads.
pub type ThreadPoolTcpServer<S> = Server<Tcp, S, ThreadPool>;
/// UDP, a fixed number of threads that each receive.
pub type ThreadPoolUdpServer<S> = Server<Udp, S, ThreadPool>;
/// Unix stream sockets, a fixed number of threads.
#[cfg(unix)]
pub type ThreadPoolUnixStreamServer<S> = Server<UnixStream, S, ThreadPool>;
/// Unix datagram sockets, a fixed number of threads that each receive.
#[cfg(unix)]
pub type ThreadPoolUnixDatagramServer<S> = Server<UnixDatagram, S, ThreadPool>;

/// TCP, a process for each client. Python: `ForkingTCPServer`.
#[doc(alias = "ForkingTCPServer")]
#[cfg(unix)]
pub type ForkingTcpServer<S> = Server<Tcp, S, Forking>;
/// UDP, a process for each datagram. Python: `ForkingUDPServer`.
///
/// A fork costs many times as much as a short handler: see [`UdpServer`].
#[doc(alias = "ForkingUDPServer")]
#[cfg(unix)]
pub type ForkingUdpServer<S> = Server<Udp, S, Forking>;
/// Unix stream sockets, a process for each client. Python: `ForkingUnixStreamServer` (3.12).
#[cfg(unix)]
pub type ForkingUnixStreamServer<S> = Server<UnixStream, S, Forking>;
/// Unix datagram sockets, a process for each datagram. Python: `ForkingUnixDatagramServer` (3.12).
#[cfg(unix)]
pub type ForkingUnixDatagramServer<S> = Server<UnixDatagram, S, Forking>;

/// TCP, a coroutine for each client, many of them on one thread.
#[doc(alias = "gevent")]
#[doc(alias = "StreamServer")]
pub type CoroutineTcpServer<S> = Server<Tcp, S, Coroutines>;
/// Unix stream sockets, a coroutine for each client, many of them on one thread.
#[doc(alias = "gevent")]
#[cfg(unix)]
pub type CoroutineUnixStreamServer<S> = Server<UnixStream, S, Coroutines>;
