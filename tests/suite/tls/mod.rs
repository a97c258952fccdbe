//! TLS servers, with clients of rustls, Python, openssl and curl.

mod clients;
mod handshakes;
#[cfg(unix)]
mod programs;
mod sessions;

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use socketserver::tls::TlsConfig;
use socketserver::transport::{Tcp, Tls};
use socketserver::{Server, ServerOptions, Strategy, TlsRequest};

use self::clients::{Authority, TlsClient};
use crate::support::net::*;
use crate::support::process::PATIENCE;

type Options<S, M> = ServerOptions<Tls<Tcp>, S, M>;

/// Returns the path of a file with certificates or keys.
fn file(name: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "tests/support/certificates",
        name,
    ]
    .iter()
    .collect()
}

fn config() -> TlsConfig {
    TlsConfig::from_pem_files(file("server.pem"), file("server.key")).unwrap()
}

fn options<S: socketserver::Service<TlsRequest>, M: Strategy + Default>() -> Options<S, M> {
    Server::<Tls<Tcp>, S, M>::options().tls(config())
}

fn connect(address: &SocketAddr) -> TlsClient {
    TlsClient::connect(*address, &Authority::known())
}

/// A client that connects and says nothing.
fn silent(address: &SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn echo() -> impl socketserver::Service<TlsRequest> {
    socketserver::handler_fn(echo_lines::<TlsRequest>)
}
