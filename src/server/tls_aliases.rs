//! Aliases for the combinations of TLS and a strategy.

use crate::server::Server;
#[cfg(unix)]
use crate::strategy::Forking;
use crate::strategy::{Coroutines, Sequential, ThreadPool, Threading};
#[cfg(unix)]
use crate::transport::UnixStream;
use crate::transport::{Tcp, Tls};

/// TLS over TCP, one client at a time. Handshakes of other clients go on meanwhile.
///
/// ```
/// use socketserver::{prelude::*, tls::TlsConfig};
///
/// # const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates/server.pem");
/// # const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates/server.key");
/// let hello = || handler_fn(|request: &mut TlsRequest| Ok(request.send_all("hello")?));
/// let tls = TlsConfig::from_pem_files(CERTIFICATE, KEY)?;
/// let one = TlsServer::options().tls(tls.clone()).bind("127.0.0.1:0", hello())?;
/// let threading = ThreadingTlsServer::options().tls(tls.clone()).bind("127.0.0.1:0", hello())?;
/// let pool = ThreadPoolTlsServer::options().tls(tls.clone()).bind("127.0.0.1:0", hello())?;
/// let coroutines = CoroutineTlsServer::options().tls(tls).bind("127.0.0.1:0", hello())?;
/// # let _ = (one, threading, pool, coroutines);
/// # Ok::<(), BoxError>(())
/// ```
#[doc(alias = "HTTPSServer")]
pub type TlsServer<S> = Server<Tls<Tcp>, S, Sequential>;
/// TLS over TCP, a thread for each client. Python: `ThreadingHTTPSServer` (3.14) is one of these.
///
/// See the [example](crate::TlsServer).
#[doc(alias = "ThreadingHTTPSServer")]
pub type ThreadingTlsServer<S> = Server<Tls<Tcp>, S, Threading>;
/// TLS over TCP, a fixed number of threads. Clients in their handshake occupy none of them.
///
/// See the [example](crate::TlsServer).
pub type ThreadPoolTlsServer<S> = Server<Tls<Tcp>, S, ThreadPool>;
/// TLS over TCP, a coroutine for each client.
///
/// See the [example](crate::TlsServer).
pub type CoroutineTlsServer<S> = Server<Tls<Tcp>, S, Coroutines>;
/// TLS over TCP, a child process for each client, forked when the handshake is complete.
///
/// See the [example](crate::TlsServer).
#[cfg(unix)]
pub type ForkingTlsServer<S> = Server<Tls<Tcp>, S, Forking>;
/// TLS over a Unix stream socket, one client at a time.
///
/// ```
/// use socketserver::{UnixStreamTlsRequest, UnixStreamTlsServer, prelude::*, tls::TlsConfig};
///
/// # const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates/server.pem");
/// # const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates/server.key");
/// # let path = std::env::temp_dir().join(format!("UnixStreamTlsServer-{}", std::process::id()));
/// let hello = handler_fn(|request: &mut UnixStreamTlsRequest| Ok(request.send_all("hello")?));
/// let tls = TlsConfig::from_pem_files(CERTIFICATE, KEY)?;
/// let server = UnixStreamTlsServer::options().tls(tls).bind(&path, hello)?;
/// # drop(server);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), BoxError>(())
/// ```
#[cfg(unix)]
pub type UnixStreamTlsServer<S> = Server<Tls<UnixStream>, S, Sequential>;
/// TLS over a Unix stream socket, a thread for each client.
///
/// See the [example](crate::UnixStreamTlsServer).
#[cfg(unix)]
pub type ThreadingUnixStreamTlsServer<S> = Server<Tls<UnixStream>, S, Threading>;
/// TLS over a Unix stream socket, a fixed number of threads.
///
/// See the [example](crate::UnixStreamTlsServer).
#[cfg(unix)]
pub type ThreadPoolUnixStreamTlsServer<S> = Server<Tls<UnixStream>, S, ThreadPool>;
/// TLS over a Unix stream socket, a coroutine for each client.
///
/// See the [example](crate::UnixStreamTlsServer).
#[cfg(unix)]
pub type CoroutineUnixStreamTlsServer<S> = Server<Tls<UnixStream>, S, Coroutines>;
/// TLS over a Unix stream socket, a child process for each client.
///
/// See the [example](crate::UnixStreamTlsServer).
#[cfg(unix)]
pub type ForkingUnixStreamTlsServer<S> = Server<Tls<UnixStream>, S, Forking>;
