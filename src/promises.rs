//! What the compiler refuses, so that it need not be caught at run time. Each block fails to compile
//! for the reason above it; the one after it, without the mistake, compiles.
//!
//! A server cannot be closed while it serves (in Python the loop then spins on a dead descriptor):
//!
//! ```compile_fail,E0505
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
//! let server = TcpServer::bind("127.0.0.1:0", service)?;
//! std::thread::scope(|scope| {
//!     scope.spawn(|| server.serve_forever());
//!     server.server_close();
//! });
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
//! let server = TcpServer::bind("127.0.0.1:0", service)?;
//! std::thread::scope(|scope| {
//!     scope.spawn(|| server.serve_forever());
//!     server.handle().shutdown();
//! });
//! server.server_close();
//! # Ok::<(), BoxError>(())
//! ```
//!
//! State that handlers share has to be fit for several threads:
//!
//! ```compile_fail,E0277
//! # use socketserver::prelude::*;
//! let visits = std::rc::Rc::new(std::cell::Cell::new(0));
//! TcpServer::bind("127.0.0.1:0", handler_fn(move |_: &mut TcpRequest| {
//!     visits.set(visits.get() + 1);
//!     Ok(())
//! }))?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```
//! # use socketserver::prelude::*;
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! let visits = AtomicU32::new(0);
//! TcpServer::bind("127.0.0.1:0", handler_fn(move |_: &mut TcpRequest| {
//!     visits.fetch_add(1, Ordering::Relaxed);
//!     Ok(())
//! }))?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! Unix sockets have no `SO_REUSEPORT` (the kernel answers `EOPNOTSUPP`):
//!
//! ```compile_fail,E0599
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
//! UnixStreamServer::options().allow_reuse_port(true).bind("/nowhere/socket", service)?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi")?));
//! TcpServer::options().allow_reuse_port(true).bind("127.0.0.1:0", service)?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! A handler for connections does not fit a server of datagrams:
//!
//! ```compile_fail,E0277
//! # use socketserver::prelude::*;
//! struct Hello;
//! impl RequestHandler<TcpRequest> for Hello {
//!     fn handle(&mut self, request: &mut TcpRequest) -> Result {
//!         Ok(request.send_all(b"hi")?)
//!     }
//! }
//! UdpServer::bind("127.0.0.1:0", || Hello)?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```
//! # use socketserver::prelude::*;
//! struct Hello;
//! impl<R: Request> RequestHandler<R> for Hello {
//!     fn handle(&mut self, request: &mut R) -> Result {
//!         Ok(request.send_all(b"hi")?)
//!     }
//! }
//! UdpServer::bind("127.0.0.1:0", || Hello)?;
//! # Ok::<(), BoxError>(())
//! ```
