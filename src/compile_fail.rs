//! Mistakes that the compiler rejects. For each mistake, the first blocks fail to compile, and the last
//! block, without the mistake, compiles. (Mistakes with tested compiler messages are in
//! `tests/compile_fail/`.)
//!
//! Closing a server while it serves. (In Python, the accept loop then fails on the closed descriptor in
//! a busy loop.)
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
//! Implementing `RequestHandler` without `handle`. (In Python, such a handler does nothing.)
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
//! Setting options of TCP on a Unix server. (In Python, they fail or have no effect.)
//!
//! ```compile_fail,E0277,ignore-windows
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
//! let server = UnixStreamServer::options().allow_reuse_port(true).bind("a.sock", service)?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```compile_fail,E0277,ignore-windows
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
//! let server = UnixStreamServer::options().allow_reuse_address(true).bind("a.sock", service)?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```compile_fail,E0599,ignore-windows
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
//! let server = UnixStreamServer::options().disable_nagle_algorithm(true).bind("a.sock", service)?;
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```no_run,ignore-windows
//! # use socketserver::prelude::*;
//! # let service = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
//! let server = UnixStreamServer::options().request_queue_size(16).bind("a.sock", service)?;
//! # let _ = server;
//! # Ok::<(), BoxError>(())
//! ```
