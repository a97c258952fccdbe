//! TLS servers, with clients of rustls, Python, openssl and curl.

mod clients;
mod endings;
mod handshakes;
mod hostile;
#[cfg(unix)]
mod programs;
mod sessions;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use socketserver::request::{HandshakeStep, StreamSocket, TlsSocket};
use socketserver::tls::{ClientCertificates, TlsConfig};
use socketserver::transport::{Tcp, Tls};
use socketserver::{
    Activity, RequestInfo, RunningServer, Server, ServerHandle, ServerOptions, Service, Strategy,
    TlsRequest,
};

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

/// Starts a server on a free port.
fn serve<S: Service<TlsRequest>, M: Strategy + Default>(
    service: S,
) -> RunningServer<Tls<Tcp>, S, M> {
    let server = options::<S, M>().bind(own_loopback(), service).unwrap();
    server.spawn().unwrap()
}

/// Requires or allows certificates of clients.
fn config_with(clients: ClientCertificates) -> TlsConfig {
    let builder = TlsConfig::builder().certificate(file("server.pem"), file("server.key"));
    builder.client_certificates(clients).build().unwrap()
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

/// Connects, and sends a part of the first message of a handshake.
fn half_hello(address: &SocketAddr) -> TcpStream {
    let mut client = silent(address);
    client.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
    client
}

fn wait_for_handshake(handle: &ServerHandle) {
    let is_handshaking = |request: &RequestInfo| request.activity() == Activity::Handshaking;
    eventually("the client is in its handshake", || {
        handle.requests().iter().any(is_handshaking)
    });
}

/// Accepts a connection without a server, and completes its handshake.
fn accept_from(listener: &TcpListener) -> TlsSocket<TcpStream> {
    let socket = TlsSocket::new(listener.accept().unwrap().0, &config());
    while socket.handshake().unwrap() != HandshakeStep::Done {
        assert!(socket.wait_readable(Some(PATIENCE)).unwrap());
    }
    socket
}

fn echo() -> impl socketserver::Service<TlsRequest> {
    socketserver::handler_fn(echo_lines::<TlsRequest>)
}
