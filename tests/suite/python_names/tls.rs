//! The twins of the names of `ssl`. Each value is an expression, so the name exists if this file compiles.

use std::time::Duration;

use socketserver::request::TlsSocket;
use socketserver::tls::{ClientCertificates, TlsConfig, TlsConfigBuilder};
use socketserver::transport::{Tcp, Tls};
use socketserver::{
    ConnectionInfo, FnService, HandshakeError, Sequential, ThreadingTlsServer, TlsRequest,
    TlsServer,
};

type Service = FnService<fn(&mut TlsRequest) -> socketserver::Result>;
type ServerOptions = socketserver::ServerOptions<Tls<Tcp>, Service, Sequential>;

macro_rules! twins {
    ($($path:path = $value:expr),* $(,)?) => {
        const TWINS: &[&str] = &[$(stringify!($path)),*];
        #[allow(dead_code)]
        fn use_all() {
            $(let _ = $value;)*
        }
    };
}

twins! {
    ConnectionInfo::tls = ConnectionInfo::tls,
    HandshakeError = size_of::<HandshakeError>,
    ServerOptions::handshake_timeout = |options: ServerOptions| options.handshake_timeout(Duration::MAX),
    ServerOptions::tls = ServerOptions::tls,
    ThreadingTlsServer = size_of::<ThreadingTlsServer<Service>>,
    TlsConfig = size_of::<TlsConfig>,
    TlsConfig::builder = TlsConfig::builder,
    TlsConfig::from_pem_files = TlsConfig::from_pem_files("", ""),
    TlsConfig::from_rustls = |config: rustls::ServerConfig| TlsConfig::from_rustls(config),
    TlsConfig::reload = TlsConfig::reload,
    TlsConfigBuilder::alpn_protocols = |builder: TlsConfigBuilder| builder.alpn_protocols(["h2"]),
    TlsConfigBuilder::certificate = |builder: TlsConfigBuilder| builder.certificate("", ""),
    TlsConfigBuilder::certificate_for = |builder: TlsConfigBuilder| builder.certificate_for("", "", ""),
    TlsConfigBuilder::client_certificates = |builder: TlsConfigBuilder| {
        builder.client_certificates(ClientCertificates::None)
    },
    TlsConfigBuilder::only_tls_1_3 = TlsConfigBuilder::only_tls_1_3,
    TlsRequest = size_of::<TlsRequest>,
    TlsServer = size_of::<TlsServer<Service>>,
    TlsSocket = size_of::<TlsSocket<std::net::TcpStream>>,
    TlsSocket::has_close_notify = TlsSocket::<std::net::TcpStream>::has_close_notify,
}

pub(super) fn all() -> impl Iterator<Item = String> {
    TWINS.iter().map(|path| path.replace(' ', ""))
}
