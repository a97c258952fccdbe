//! What the compiler refuses, so that it need not be caught at run time: the first block fails to
//! compile for the reason above it; the second, without the mistake, compiles. (Mistakes whose
//! messages matter are in `tests/compile_fail/`.)
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
//! A handler without `handle` is none (in Python it does nothing):
//!
//! ```compile_fail,E0046
//! # use socketserver::prelude::*;
//! struct Nothing;
//!
//! impl RequestHandler<TcpRequest> for Nothing {}
//! ```
//!
//! ```
//! # use socketserver::prelude::*;
//! struct Nothing;
//!
//! impl RequestHandler<TcpRequest> for Nothing {
//!     fn handle(&mut self, _: &mut TcpRequest) -> Result {
//!         Ok(())
//!     }
//! }
//! ```
//!
//! Unix servers have no options that mean nothing to them (in Python these fail, or do nothing):
//!
//! ```compile_fail,E0277
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
//! let server = UnixStreamServer::options().allow_reuse_port(true).bind("a.sock", service)?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```compile_fail,E0277
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
//! let server = UnixStreamServer::options().allow_reuse_address(true).bind("a.sock", service)?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```compile_fail,E0599
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
//! let server = UnixStreamServer::options().disable_nagle_algorithm(true).bind("a.sock", service)?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```no_run
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
//! let server = UnixStreamServer::options().request_queue_size(16).bind("a.sock", service)?;
//! # let _ = server;
//! # Ok::<(), BoxError>(())
//! ```
