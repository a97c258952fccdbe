//! TLS: certificates, and what a handshake has agreed on.
//!
//! A TLS server is a server like any other: [`ThreadingTlsServer`](crate::ThreadingTlsServer) and its kin have a
//! [`TlsConfig`] as an option, and their requests are [`TlsRequest`](crate::TlsRequest)s. Python: a socket that
//! `ssl.SSLContext.wrap_socket` has wrapped, in `get_request` or before `server_activate`.
//!
//! - The handshake never runs on the accept loop. A silent client delays no other client, and
//!   [`handshake_timeout`](crate::ServerOptions::handshake_timeout) ends it.
//! - A failed handshake is no error of a handler: it is counted
//!   ([`Stats::handshake_errors`](crate::Stats::handshake_errors)) and passed to
//!   [`Service::handshake_error`](crate::Service::handshake_error), and nothing is printed.
//! - When the handler returns, the client receives `close_notify`. A client that leaves without one reads as the
//!   end of the stream: [`TlsSocket::has_close_notify`](crate::request::TlsSocket::has_close_notify) tells the two apart.
//!
//! ```
//! use socketserver::{HandshakeError, prelude::*, tls::TlsConfig};
//! use std::sync::Arc;
//!
//! struct Greeter;
//!
//! # const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates/server.pem");
//! # const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates/server.key");
//! impl<R: Request> RequestHandler<R> for Greeter {
//!     fn handle(&mut self, request: &mut R) -> Result {
//!         let info = request.connection_info();
//!         let version = info.tls().map(|tls| tls.version());
//!         Ok(writeln!(request, "hello over {version:?}")?)
//!     }
//! }
//!
//! struct Counting;
//!
//! impl<R: Request> Service<R> for Counting {
//!     type Handler = Greeter;
//!
//!     fn request_handler(self: &Arc<Self>) -> Greeter {
//!         Greeter
//!     }
//!
//!     fn handshake_error(&self, request: &R, error: &HandshakeError) {
//!         println!("{}: {error}", request.client_address());
//!     }
//! }
//!
//! let tls = TlsConfig::from_pem_files(CERTIFICATE, KEY)?;
//! let server = ThreadingTlsServer::options().tls(tls).bind("127.0.0.1:0", Counting)?.spawn()?;
//! // A client that does not speak TLS:
//! let mut client = std::net::TcpStream::connect(server.server_address())?;
//! client.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
//! let _ = std::io::copy(&mut client, &mut std::io::sink());
//! let handle = server.handle();
//! server.stop()?;
//! assert_eq!(handle.stats().handshake_errors.not_tls, 1);
//! # Ok::<(), BoxError>(())
//! ```

mod certificates;
mod config;
mod error;
mod info;

pub use self::config::{ClientCertificates, TlsConfig, TlsConfigBuilder};
pub use self::error::TlsError;
pub use self::info::TlsInfo;
