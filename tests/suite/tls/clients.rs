//! A TLS client.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::support::process::PATIENCE;
use crate::tls::file;

/// Configurations of clients that trust the authority of the tests.
pub(super) struct Authority {
    roots: RootCertStore,
    versions: Vec<&'static SupportedProtocolVersion>,
}

impl Authority {
    /// Clients trust the authority.
    pub(super) fn known() -> Arc<ClientConfig> {
        Self::new().config(None)
    }

    /// Clients trust another authority.
    pub(super) fn unknown() -> Arc<ClientConfig> {
        let mut authority = Self::new();
        let stranger = CertificateDer::from_pem_file(file("stranger.pem")).unwrap();
        authority.roots = RootCertStore::empty();
        authority.roots.add(stranger).unwrap();
        authority.config(None)
    }

    pub(super) fn new() -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(file("authority.pem")).unwrap();
        roots.add(authority).unwrap();
        Self {
            roots,
            versions: rustls::ALL_VERSIONS.to_vec(),
        }
    }

    pub(super) fn only(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    /// Clients show the certificate with this name.
    pub(super) fn config(self, certificate: Option<&str>) -> Arc<ClientConfig> {
        self.config_by(rustls::crypto::ring::default_provider(), certificate)
    }

    pub(super) fn config_by(
        self,
        provider: CryptoProvider,
        certificate: Option<&str>,
    ) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(self.roots);
        Arc::new(match certificate {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let chain = CertificateDer::from_pem_file(file(&format!("{name}.pem"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).unwrap();
                builder.with_client_auth_cert(vec![chain], key).unwrap()
            }
        })
    }
}

pub(super) struct TlsClient {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl TlsClient {
    pub(super) fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        Self::connect_to(address, config, "localhost").unwrap()
    }

    /// Connects and completes the handshake.
    pub(super) fn connect_to(
        address: SocketAddr,
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Connects, and sends the begin of the handshake.
    pub(super) fn begin(address: &SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Authority::known(), name).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        stream.conn.write_tls(&mut stream.sock).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.stream.get_ref().sock
    }

    pub(super) fn send(&mut self, data: impl AsRef<[u8]>) {
        self.try_send(data).unwrap();
    }

    /// Sends to a server that may have ended the connection.
    pub(super) fn try_send(&mut self, data: impl AsRef<[u8]>) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(data.as_ref())?;
        stream.flush()
    }

    /// Uses new keys from here on, and asks the server to do so, too (`KeyUpdate` of TLS 1.3).
    pub(super) fn renew_keys(&mut self) {
        self.stream.get_mut().conn.refresh_traffic_keys().unwrap();
    }

    pub(super) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line)
    }

    pub(super) fn ask(&mut self, question: &str) -> String {
        self.send(question);
        self.line().unwrap()
    }

    /// Reads to the end. Fails with `UnexpectedEof` if there is no `close_notify`.
    pub(super) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// Reads to the end, and keeps what precedes an error.
    pub(super) fn rest_into(&mut self, received: &mut Vec<u8>) -> io::Result<()> {
        self.stream.read_to_end(received).map(drop)
    }

    /// Says that no more follows.
    pub(super) fn finish(&mut self) {
        let stream = self.stream.get_mut();
        stream.conn.send_close_notify();
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut stream.sock).unwrap();
        }
    }
}
