//! Python's `socketserver` in Rust. You write straight-line blocking code that talks to one client, pick
//! TCP, UDP or a Unix socket, pick how requests run, and serve.
//!
//! If sockets are new to you, read `docs/tutorial` in the repository: it goes from a bare socket to a
//! server, step by step. If you port a program, `docs/how-to` has Python's idioms beside their Rust
//! twins, and `docs/reference/python-names.md` every name of Python's module.
//!
//! ```no_run
//! use socketserver::prelude::*;
//! use std::io;
//!
//! struct MyTcpHandler;
//!
//! impl RequestHandler<TcpRequest> for MyTcpHandler {
//!     fn handle(&mut self, request: &mut TcpRequest) -> Result {
//!         let line = request.readline(10_000)?;
//!         let client = request.client_address().ip();
//!         let _ = writeln!(io::stdout(), "{client} wrote: {}", line.escape_ascii());
//!         request.write_all(&line.to_ascii_uppercase())?;
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> Result {
//!     let server = TcpServer::bind("localhost:9999", || MyTcpHandler)?;
//!     server.shutdown_on_ctrl_c()?;
//!     server.serve_forever()?;
//!     Ok(())
//! }
//! ```
//!
//! A handler prints by `writeln!` and ignores its error, because `println!` panics when standard output is gone
//! (as in `server | head -1`), and the client then gets no answer.
//!
//! # The parts
//!
//! Python composes a server by inheritance. Here the same four parts are four values, and a [`Server`] joins
//! them:
//!
//! ```text
//!             accept loop                                  worker: a thread, a process, a coroutine, or the loop itself
//!  Transport ── get_request ──▶ Service::verify_request ──▶ Job ── Strategy::process_request ──▶ Job::run
//!  (tcp udp unix)                                                                                 │ Service::request_handler
//!                                                                                                 ▼
//!                                                               RequestHandler: setup ▸ handle ▸ finish ──▶ shutdown_request
//!                                                                                                 │ Err or panic
//!                                                                                                 ▼
//!                                                                                        Service::handle_error
//! ```
//!
//! | value | decides | in Python | choices |
//! | --- | --- | --- | --- |
//! | [`Transport`] | where requests come from | the server class | TCP, UDP, Unix stream, Unix datagram |
//! | [`Strategy`] | where each request runs, and how many run at once | the mix-in class | [`Sequential`], [`Threading`], [`ThreadPool`], [`Forking`], [`Coroutines`], your own |
//! | [`Service`] | shared state, and the hooks | your server subclass | a closure that makes a handler, [`handler_fn`], your own type |
//! | [`RequestHandler`] | how to talk to one client | your handler class | your own type |
//!
//! The docs of [`Strategy`] say which one to choose. The combinations of transport and strategy have Python's
//! names:
//!
//! | | TCP | UDP | Unix stream | Unix datagram |
//! | --- | --- | --- | --- | --- |
//! | [`Sequential`] | [`TcpServer`] | [`UdpServer`] | [`UnixStreamServer`] | [`UnixDatagramServer`] |
//! | [`Threading`] | [`ThreadingTcpServer`] | [`ThreadingUdpServer`] | [`ThreadingUnixStreamServer`] | [`ThreadingUnixDatagramServer`] |
//! | [`ThreadPool`] | [`ThreadPoolTcpServer`] | [`ThreadPoolUdpServer`] | [`ThreadPoolUnixStreamServer`] | [`ThreadPoolUnixDatagramServer`] |
//! | [`Forking`] | [`ForkingTcpServer`] | [`ForkingUdpServer`] | [`ForkingUnixStreamServer`] | [`ForkingUnixDatagramServer`] |
//! | [`Coroutines`] | [`CoroutineTcpServer`] | by [`Server::strategy`] | [`CoroutineUnixStreamServer`] | by [`Server::strategy`] |
//!
//! Any other combination is a call of [`Server::strategy`]:
//! `TcpServer::bind(...)?.strategy(ThreadPool::new(8))`.
//!
//! Settings of sockets and clients (socket options, timeouts, limits) come before `bind`, in
//! [`ServerOptions`]. Settings of serving and stopping are methods of [`Server`].
//!
//! # Shared state
//!
//! Python's `self.server.x` is a variable that a closure captures here, and [`handler_fn`] makes the closure a
//! service. [`handler_fn_with`] does the same for a function and a state with a name.
//!
//! ```
//! use socketserver::prelude::*;
//! use std::sync::atomic::{AtomicU32, Ordering};
//!
//! let visits = AtomicU32::new(0);
//! let count = handler_fn(move |request: &mut TcpRequest| {
//!     while let Some(_line) = request.next_line(1000)? { // Python: for line in self.rfile
//!         let n = visits.fetch_add(1, Ordering::Relaxed) + 1;
//!         writeln!(request, "{n}")?;
//!     }
//!     Ok(())
//! });
//! let server = ThreadingTcpServer::bind("127.0.0.1:0", count)?.spawn()?;
//! # let mut client = std::net::TcpStream::connect(server.server_address())?;
//! # client.write_all(b"a\nb\n")?;
//! # client.shutdown(std::net::Shutdown::Write)?;
//! # let mut answer = String::new();
//! # client.read_to_string(&mut answer)?;
//! # assert_eq!(answer, "1\n2\n");
//! # Ok::<(), BoxError>(())
//! ```
//!
//! If the handler is a type of its own, or the server needs hooks, the state is a field of your own type. Implement
//! [`Service`] for it and give each handler a clone of its `Arc`:
//!
//! ```
//! use socketserver::prelude::*;
//! use std::{collections::HashMap, sync::{Arc, Mutex}};
//!
//! #[derive(Default)]
//! struct Words {
//!     seen: Mutex<HashMap<Vec<u8>, u32>>,
//! }
//!
//! impl Service<TcpRequest> for Words {
//!     type Handler = CountWords;
//!     fn request_handler(self: &Arc<Self>) -> CountWords {
//!         CountWords { server: Arc::clone(self) }
//!     }
//! }
//!
//! struct CountWords {
//!     server: Arc<Words>,
//! }
//!
//! impl RequestHandler<TcpRequest> for CountWords {
//!     fn handle(&mut self, request: &mut TcpRequest) -> Result {
//!         let word = request.readline(100)?;
//!         let count = {
//!             let mut seen = self.server.seen.lock().unwrap();
//!             let count = seen.entry(word).or_default();
//!             *count += 1;
//!             *count
//!         }; // unlocked here: a client that does not read must not delay the others
//!         writeln!(request, "{count}")?;
//!         Ok(())
//!     }
//! }
//!
//! let server = ThreadingTcpServer::bind("127.0.0.1:0", Words::default())?.spawn()?;
//! # for n in 1..=2 {
//! #     let mut client = std::net::TcpStream::connect(server.server_address())?;
//! #     client.write_all(b"hello\n")?;
//! #     let mut answer = String::new();
//! #     client.read_to_string(&mut answer)?;
//! #     assert_eq!(answer, format!("{n}\n"));
//! # }
//! # assert_eq!(server.service().seen.lock().unwrap().len(), 1);
//! # Ok::<(), BoxError>(())
//! ```
//!
//! A panic while a `std` mutex is locked poisons it for later requests;
//! `lock().unwrap_or_else(|error| error.into_inner())` ignores the poison.
//!
//! # Before you choose it
//!
//! - Handlers are blocking code. Under [`Threading`] a handler occupies a thread while it runs. For thousands
//!   of connections there is [`Coroutines`]: a handler that waits for its client occupies no thread. In
//!   return, other blocking calls have to be wrapped in [`blocking`], and no lock may be held over a read or a
//!   write (see `docs/explanation/coroutines.md`).
//! - A handler cannot `.await`. If the program uses async libraries, or a handler waits for several events at
//!   once, an async runtime is the better choice.
//! - There is no HTTP and no TLS: this crate is the layer below them.
//! - The whole test suite runs on Linux only; `docs/reference/platforms.md` says what was checked for other
//!   systems. [`Forking`] and Unix sockets do not exist on Windows.
//! - Panics are caught, which needs `panic = "unwind"`, the default. With `panic = "abort"`, a panic in a
//!   handler or a hook ends the whole process with the requests of all clients. Under [`Forking`] it ends only
//!   the child process; the request counts as failed.
//!
//! # Where to look
//!
//! | task | look at |
//! | --- | --- |
//! | find the twin of a Python name or idiom | `docs/reference/python-names.md`, `docs/how-to`, or the search field above |
//! | see what behaves differently from Python | `docs/reference/differences.md` |
//! | see what happens when something fails | `docs/reference/reliability.md` |
//! | see what to set and what to watch in production | `docs/how-to/operating.md` |
//! | read from and write to a client | [`Request`] |
//! | set a socket option, a timeout, a limit | [`ServerOptions`], with Python's defaults beside ours |
//! | stop from a handler, another thread, or at Ctrl-C | [`ServerHandle::shutdown`], [`Server::shutdown_on_ctrl_c`] |
//! | serve in the background | [`Server::spawn`] |
//! | control what happens to running requests at the end | [`Server::server_close`], [`Server::grace_period`] |
//! | protect the server from slow, silent or too many clients | [`ServerOptions::read_timeout`] and its neighbours, [`ServerOptions::max_connections`] |
//! | write to other clients (chat) | [`Request::sender`], [`ServerHandle::broadcast`] |
//! | list the clients, and disconnect one | [`ServerHandle::requests`] |
//! | answer a health check, export metrics | [`ServerHandle::is_ready`], [`ServerHandle::stats`] |
//! | see what a stop waits for, and what it force-closed | [`ServerHandle::phase`], [`DrainReport`] |
//! | serve thousands of clients, most of them idle | [`Coroutines`], `docs/explanation/coroutines.md` |
//! | make a slow call, or wait, in a coroutine | [`blocking`], [`sleep`] |
//! | find handlers that delay other clients | [`Stats::worker_stalls`], the feature `log` |
//! | handle errors yourself | [`Service::handle_error`] |
//! | run requests in processes, and know when that is safe | [`Forking`] |
//! | run requests on an executor of your own | [`Strategy`] |
//! | serve another kind of socket | [`transport`] |
//! | test your handler and your server | [`testing`] |
//!
//! # Features
//!
//! No feature is on by default.
//!
//! - `log`: reports events through the [`log`](https://docs.rs/log) crate, with the target `socketserver`.
//!   `info`: serving, stops, the report of a stop. `warn`: no descriptors or no memory; requests that a stop
//!   force-closed or abandoned; handlers that stall a worker of [`Coroutines`] for more than 10 ms. `error`: a
//!   listening socket that is unusable. `debug`: connections that were rejected, or lost before they were
//!   accepted. Errors of handlers are not logged: [`Service::handle_error`] receives them, and may log.

mod accept_error;
mod address;
mod coroutine;
mod disconnect;
mod errno;
mod error;
mod escape;
mod handler;
mod handler_error;
mod handshake_error;
mod job;
mod logging;
mod panics;
mod probe_backoff;
mod reentrancy;
pub mod request;
mod server;
mod service;
mod state;
pub mod strategy;
mod sys;
pub mod testing;
mod timeout;
#[cfg(feature = "tls")]
pub mod tls;
pub mod transport;

// Repeats the search aliases of types, because rustdoc drops those of items that are re-exported from
// private modules.
pub use accept_error::AcceptErrorKind;
pub use address::{Address, SocketAddress, UnixAddress};
#[doc(alias = "threadpool.apply")]
#[doc(alias = "asyncio.to_thread")]
#[doc(alias = "run_in_executor")]
pub use coroutine::blocking;
#[doc(alias = "gevent.sleep")]
#[doc(alias = "asyncio.sleep")]
#[doc(alias = "time.sleep")]
pub use coroutine::sleep;
#[doc(alias = "ConnectionError")]
pub use disconnect::{DisconnectKind, ShuttingDown};
pub use error::{BoxError, Error, Result};
#[doc(alias = "BaseRequestHandler")]
#[doc(alias = "StreamRequestHandler")]
#[doc(alias = "DatagramRequestHandler")]
pub use handler::RequestHandler;
pub use handler::{FnService, StateService, handler_fn, handler_fn_with};
pub use handler_error::{HandlerError, Stage};
pub use handshake_error::{HandshakeError, HandshakeErrorKind};
pub use job::{Job, Rejected};
#[doc(alias = "request")]
#[doc(alias = "makefile")]
#[doc(inline)]
pub use request::Request;
#[doc(alias = "broadcast")]
#[doc(alias = "chat")]
#[doc(inline)]
pub use request::Sender;
#[doc(alias = "rfile")]
#[doc(alias = "rbufsize")]
#[doc(inline)]
pub use request::StreamReader;
#[doc(alias = "wfile")]
#[doc(alias = "wbufsize")]
#[doc(alias = "_SocketWriter")]
#[doc(inline)]
pub use request::StreamWriter;
#[cfg(feature = "tls")]
#[doc(inline)]
pub use request::TlsRequest;
#[cfg(all(feature = "tls", unix))]
#[doc(inline)]
pub use request::UnixStreamTlsRequest;
#[doc(inline)]
pub use request::{Activity, ConnectionInfo, PeerCredentials, RequestInfo, RequestKind};
#[doc(inline)]
pub use request::{DatagramRequest, StreamRequest, TcpRequest, UdpRequest};
#[cfg(unix)]
#[doc(inline)]
pub use request::{UnixDatagramRequest, UnixStreamRequest};
#[doc(alias = "BaseServer")]
#[doc(alias = "__enter__")]
#[doc(alias = "with")]
#[doc(alias = "fileno")]
#[doc(alias = "socket")]
pub use server::Server;
#[doc(alias = "gevent.server.StreamServer")]
#[doc(alias = "asyncio.start_server")]
pub use server::aliases::CoroutineTcpServer;
#[cfg(unix)]
#[doc(alias = "asyncio.start_unix_server")]
pub use server::aliases::CoroutineUnixStreamServer;
#[cfg(unix)]
pub use server::aliases::{
    ForkingTcpServer, ForkingUdpServer, ForkingUnixDatagramServer, ForkingUnixStreamServer,
    ThreadPoolUnixDatagramServer, ThreadPoolUnixStreamServer, ThreadingUnixDatagramServer,
    ThreadingUnixStreamServer, UnixDatagramServer, UnixStreamServer,
};
pub use server::aliases::{
    TcpServer, ThreadPoolTcpServer, ThreadPoolUdpServer, ThreadingTcpServer, ThreadingUdpServer,
    UdpServer,
};
#[cfg(feature = "tls")]
pub use server::tls_aliases::{
    CoroutineTlsServer, ThreadPoolTlsServer, ThreadingTlsServer, TlsServer,
};
#[cfg(all(feature = "tls", unix))]
pub use server::tls_aliases::{
    CoroutineUnixStreamTlsServer, ForkingTlsServer, ForkingUnixStreamTlsServer,
    ThreadPoolUnixStreamTlsServer, ThreadingUnixStreamTlsServer, UnixStreamTlsServer,
};
pub use server::{
    AnyServer, BacklogPolicy, DrainReport, GroupError, GroupReport, Handled, MemberReport, Running,
    RunningGroup, RunningServer, ServerGroup, ServerOptions, Spawn,
};
#[doc(alias = "partial")]
pub use service::Service;
pub use service::{FnHandler, HandlerFactory, StateHandler};
pub use state::{
    AcceptErrorCounts, GroupHandle, HandshakeErrorCounts, OverloadPolicy, Phase, Rejection,
    RejectionCounts, ServerHandle, Stats, TimeoutCounts,
};
pub use state::{AccessList, NetworkError, ToNetwork};
#[cfg(unix)]
#[doc(inline)]
pub use strategy::ChildExit;
#[doc(alias = "gevent")]
#[doc(alias = "greenlet")]
#[doc(alias = "green threads")]
#[doc(inline)]
pub use strategy::Coroutines;
#[cfg(unix)]
#[doc(alias = "ForkingMixIn")]
#[doc(alias = "fork")]
#[doc(inline)]
pub use strategy::Forking;
#[doc(inline)]
pub use strategy::Strategy;
#[doc(alias = "ThreadPoolExecutor")]
#[doc(alias = "ThreadPoolMixIn")]
#[doc(inline)]
pub use strategy::ThreadPool;
#[doc(alias = "ThreadingMixIn")]
#[doc(inline)]
pub use strategy::Threading;
#[doc(inline)]
pub use strategy::{Scheduling, Sequential};
pub use sys::stop_signal::StopSignal;
pub use timeout::TimeoutKind;
#[doc(inline)]
pub use transport::Transport;

/// The names that most server programs need, and the `std::io` traits of requests. Python:
/// `from socketserver import *`.
#[doc(alias = "__all__")]
pub mod prelude {
    pub use std::io::{BufRead, Read, Write};

    #[cfg(all(feature = "tls", unix))]
    pub use crate::ForkingTlsServer;
    pub use crate::{
        AnyServer, BacklogPolicy, BoxError, CoroutineTcpServer, Coroutines, DrainReport,
        GroupHandle, GroupReport, Handled, HandlerError, OverloadPolicy, Rejection, Request,
        RequestHandler, Result, Running, RunningGroup, RunningServer, Sender, Sequential, Server,
        ServerGroup, ServerHandle, Service, Stats, Strategy, TcpRequest, TcpServer, ThreadPool,
        ThreadPoolTcpServer, ThreadPoolUdpServer, Threading, ThreadingTcpServer,
        ThreadingUdpServer, UdpRequest, UdpServer, handler_fn, handler_fn_with,
    };
    #[cfg(unix)]
    pub use crate::{
        ChildExit, CoroutineUnixStreamServer, Forking, ForkingTcpServer, ForkingUdpServer,
        ForkingUnixDatagramServer, ForkingUnixStreamServer, ThreadPoolUnixDatagramServer,
        ThreadPoolUnixStreamServer, ThreadingUnixDatagramServer, ThreadingUnixStreamServer,
        UnixDatagramRequest, UnixDatagramServer, UnixStreamRequest, UnixStreamServer,
    };
    #[cfg(feature = "tls")]
    pub use crate::{
        CoroutineTlsServer, ThreadPoolTlsServer, ThreadingTlsServer, TlsRequest, TlsServer,
    };
}

#[cfg(doctest)]
mod compile_fail;

#[cfg(doctest)]
mod documentation;
