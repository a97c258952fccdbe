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
