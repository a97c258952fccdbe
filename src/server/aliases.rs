//! Aliases for the combinations of transport and strategy, with Python's names.

use crate::server::Server;
#[cfg(unix)]
use crate::strategy::Forking;
use crate::strategy::{Coroutines, Sequential, ThreadPool, Threading};
use crate::transport::{Tcp, Udp};
#[cfg(unix)]
use crate::transport::{UnixDatagram, UnixStream};

/// TCP, one client at a time. Python: `TCPServer`.
///
/// ```
/// use socketserver::{prelude::*, testing::TestServer};
///
/// let echo = handler_fn(|request: &mut TcpRequest| {
///     let line = request.readline(100)?;
///     Ok(request.send_all(line)?)
/// });
/// let server = TestServer::start(TcpServer::bind("127.0.0.1:0", echo)?);
/// let mut client = server.client();
/// client.send_all("hello\n")?;
/// assert_eq!(client.readline()?, b"hello\n");
/// # Ok::<(), BoxError>(())
/// ```
#[doc(alias = "TCPServer")]
pub type TcpServer<S> = Server<Tcp, S, Sequential>;
/// UDP, one datagram at a time. Python: `UDPServer`.
///
/// ```
/// use socketserver::{prelude::*, testing::TestServer};
///
/// let echo = handler_fn(|request: &mut UdpRequest| {
///     let line = request.readline(100)?;
///     Ok(request.send_all(line)?)
/// });
/// let server = TestServer::start(UdpServer::bind("127.0.0.1:0", echo)?);
/// let mut client = server.client();
/// client.send_all("hello\n")?;
/// assert_eq!(client.readline()?, b"hello\n");
/// # Ok::<(), BoxError>(())
/// ```
#[doc(alias = "UDPServer")]
pub type UdpServer<S> = Server<Udp, S, Sequential>;
/// Unix stream sockets, one client at a time. Python: `UnixStreamServer`.
///
/// The socket file stays when the server is closed, as in Python, unless
/// [`remove_on_close`](crate::ServerOptions::remove_on_close) is set. The next server can bind to a path with a
/// file only with the option [`replace_stale`](crate::ServerOptions::replace_stale).
///
/// ```
/// use socketserver::{prelude::*, testing::TestServer};
///
/// let path = std::env::temp_dir().join(format!("UnixStreamServer-{}", std::process::id()));
/// let echo = handler_fn(|request: &mut UnixStreamRequest| {
///     let line = request.readline(100)?;
///     Ok(request.send_all(line)?)
/// });
/// let server = TestServer::start(UnixStreamServer::bind(&path, echo)?);
/// let mut client = server.client();
/// client.send_all("hello\n")?;
/// assert_eq!(client.readline()?, b"hello\n");
/// # drop(server);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), BoxError>(())
/// ```
#[cfg(unix)]
pub type UnixStreamServer<S> = Server<UnixStream, S, Sequential>;
/// Unix datagram sockets, one datagram at a time. Python: `UnixDatagramServer`.
///
/// The socket file stays when the server is closed: see [`UnixStreamServer`].
///
/// ```
/// use socketserver::{prelude::*, testing::TestServer};
///
/// let path = std::env::temp_dir().join(format!("UnixDatagramServer-{}", std::process::id()));
/// let echo = handler_fn(|request: &mut UnixDatagramRequest| {
///     let line = request.readline(100)?;
///     Ok(request.send_all(line)?)
/// });
/// let server = TestServer::start(UnixDatagramServer::bind(&path, echo)?);
/// let mut client = server.client();
/// client.send_all("hello\n")?;
/// assert_eq!(client.readline()?, b"hello\n");
/// # drop(server);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), BoxError>(())
/// ```
#[cfg(unix)]
pub type UnixDatagramServer<S> = Server<UnixDatagram, S, Sequential>;

/// TCP, a thread for each client. Python: `ThreadingTCPServer`.
///
/// ```
/// use socketserver::{prelude::*, testing::TestServer};
///
/// let echo = handler_fn(|request: &mut TcpRequest| {
///     let line = request.readline(100)?;
///     Ok(request.send_all(line)?)
/// });
/// let server = TestServer::start(ThreadingTcpServer::bind("127.0.0.1:0", echo)?);
/// let mut client = server.client();
/// client.send_all("hello\n")?;
/// assert_eq!(client.readline()?, b"hello\n");
/// # Ok::<(), BoxError>(())
/// ```
#[doc(alias = "ThreadingTCPServer")]
pub type ThreadingTcpServer<S> = Server<Tcp, S, Threading>;
/// UDP, a thread for each datagram. Python: `ThreadingUDPServer`.
///
/// For handlers that wait for something. Short handlers run many times faster on a
/// [`ThreadPoolUdpServer`] or a plain [`UdpServer`].
///
/// ```
/// use socketserver::{prelude::*, testing::TestServer};
///
/// let echo = handler_fn(|request: &mut UdpRequest| {
///     let line = request.readline(100)?;
///     Ok(request.send_all(line)?)
/// });
/// let server = TestServer::start(ThreadingUdpServer::bind("127.0.0.1:0", echo)?);
/// let mut client = server.client();
/// client.send_all("hello\n")?;
/// assert_eq!(client.readline()?, b"hello\n");
/// # Ok::<(), BoxError>(())
/// ```
#[doc(alias = "ThreadingUDPServer")]
pub type ThreadingUdpServer<S> = Server<Udp, S, Threading>;
/// Unix stream sockets, a thread for each client. Python: `ThreadingUnixStreamServer`.
///
/// See the [example](UnixStreamServer).
#[cfg(unix)]
pub type ThreadingUnixStreamServer<S> = Server<UnixStream, S, Threading>;
/// Unix datagram sockets, a thread for each datagram. Python: `ThreadingUnixDatagramServer`.
///
/// See the [example](UnixDatagramServer).
#[cfg(unix)]
pub type ThreadingUnixDatagramServer<S> = Server<UnixDatagram, S, Threading>;

/// TCP, a fixed number of threads.
///
/// ```
/// use socketserver::{prelude::*, testing::TestServer};
///
/// let echo = handler_fn(|request: &mut TcpRequest| {
///     let line = request.readline(100)?;
///     Ok(request.send_all(line)?)
/// });
/// let server = TestServer::start(ThreadPoolTcpServer::bind("127.0.0.1:0", echo)?);
/// let mut client = server.client();
/// client.send_all("hello\n")?;
/// assert_eq!(client.readline()?, b"hello\n");
/// # Ok::<(), BoxError>(())
/// ```
pub type ThreadPoolTcpServer<S> = Server<Tcp, S, ThreadPool>;
/// UDP, a fixed number of threads that each receive.
///
/// ```
/// use socketserver::{prelude::*, testing::TestServer};
///
/// let echo = handler_fn(|request: &mut UdpRequest| {
///     let line = request.readline(100)?;
///     Ok(request.send_all(line)?)
/// });
/// let server = TestServer::start(ThreadPoolUdpServer::bind("127.0.0.1:0", echo)?);
/// let mut client = server.client();
/// client.send_all("hello\n")?;
/// assert_eq!(client.readline()?, b"hello\n");
/// # Ok::<(), BoxError>(())
/// ```
pub type ThreadPoolUdpServer<S> = Server<Udp, S, ThreadPool>;
/// Unix stream sockets, a fixed number of threads.
///
/// See the [example](UnixStreamServer).
#[cfg(unix)]
pub type ThreadPoolUnixStreamServer<S> = Server<UnixStream, S, ThreadPool>;
/// Unix datagram sockets, a fixed number of threads that each receive.
///
/// See the [example](UnixDatagramServer).
#[cfg(unix)]
pub type ThreadPoolUnixDatagramServer<S> = Server<UnixDatagram, S, ThreadPool>;

/// TCP, a process for each client. Python: `ForkingTCPServer`.
///
/// See the [example](crate::Forking).
#[doc(alias = "ForkingTCPServer")]
#[cfg(unix)]
pub type ForkingTcpServer<S> = Server<Tcp, S, Forking>;
/// UDP, a process for each datagram. Python: `ForkingUDPServer`.
///
/// A fork costs many times as much as a short handler: see [`UdpServer`].
///
/// See the [example](UdpServer).
#[doc(alias = "ForkingUDPServer")]
#[cfg(unix)]
pub type ForkingUdpServer<S> = Server<Udp, S, Forking>;
/// Unix stream sockets, a process for each client. Python: `ForkingUnixStreamServer` (3.12).
///
/// See the [example](UnixStreamServer).
#[cfg(unix)]
pub type ForkingUnixStreamServer<S> = Server<UnixStream, S, Forking>;
/// Unix datagram sockets, a process for each datagram. Python: `ForkingUnixDatagramServer` (3.12).
///
/// See the [example](UnixDatagramServer).
#[cfg(unix)]
pub type ForkingUnixDatagramServer<S> = Server<UnixDatagram, S, Forking>;

/// TCP, a coroutine for each client, many of them on one thread.
///
/// See the [example](crate::Coroutines).
#[doc(alias = "gevent")]
#[doc(alias = "StreamServer")]
pub type CoroutineTcpServer<S> = Server<Tcp, S, Coroutines>;
/// Unix stream sockets, a coroutine for each client, many of them on one thread.
///
/// See the [example](UnixStreamServer).
#[doc(alias = "gevent")]
#[cfg(unix)]
pub type CoroutineUnixStreamServer<S> = Server<UnixStream, S, Coroutines>;
