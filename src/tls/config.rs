//! The configuration of a TLS server.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ProducesTickets, WebPkiClientVerifier};

use crate::tls::TlsError;
use crate::tls::certificates::{CertificateFiles, Certificates, read_roots};

/// Certificates and protocols of a TLS server: the option [`tls`](crate::ServerOptions::tls). Clones share one
/// configuration, so that a server can be given new certificates while it serves.
///
/// Versions are TLS 1.2 and 1.3. Sessions are resumed. The implementation is rustls with the provider ring.
///
/// > **Coming from Python.** `ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)` and `load_cert_chain`.
///
/// ```
/// use socketserver::{prelude::*, tls::TlsConfig};
///
/// # let service = handler_fn(|request: &mut TlsRequest| Ok(request.send_all("hi")?));
/// # const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates/server.pem");
/// # const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates/server.key");
/// let tls = TlsConfig::from_pem_files(CERTIFICATE, KEY)?;
/// let server = ThreadingTlsServer::options().tls(tls.clone()).bind("127.0.0.1:0", service)?.spawn()?;
/// // After the files have changed, for example on SIGHUP:
/// tls.reload()?;
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone)]
#[doc(alias = "SSLContext")]
pub struct TlsConfig(Arc<Shared>);

struct Shared {
    /// How to read the configuration again. `None` for a configuration of the program's own.
    sources: Option<TlsConfigBuilder>,
    present: Mutex<Arc<ServerConfig>>,
}

/// Whether clients show a certificate.
///
/// See the [example](TlsConfigBuilder).
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "verify_mode")]
pub enum ClientCertificates {
    /// Clients are not asked for a certificate.
    None,
    /// A client can show a certificate of one of the authorities in this PEM file. One that is not valid ends the
    /// handshake.
    #[doc(alias = "CERT_OPTIONAL")]
    Optional(PathBuf),
    /// A client must show a certificate of one of the authorities in this PEM file.
    #[doc(alias = "CERT_REQUIRED")]
    Required(PathBuf),
}

impl TlsConfig {
    /// Reads a certificate, with those of its issuers behind it, and its private key from two PEM files, which
    /// may be one and the same.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or the key is not that of the certificate.
    #[doc(alias = "load_cert_chain")]
    pub fn from_pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Self::builder().certificate(certificate, key).build()
    }

    /// Makes a configuration with several certificates, client certificates or protocols.
    ///
    /// See the [example](TlsConfigBuilder).
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder {
            default: None,
            by_name: Vec::new(),
            clients: ClientCertificates::None,
            protocols: Vec::new(),
            minimum_is_1_3: false,
            ticketer: None,
        }
    }

    /// Takes a configuration that the program has made with rustls.
    ///
    /// ```
    /// use socketserver::tls::TlsConfig;
    ///
    /// fn own(config: rustls::ServerConfig) -> TlsConfig {
    ///     TlsConfig::from_rustls(config)
    /// }
    /// # let _ = own;
    /// ```
    pub fn from_rustls(config: impl Into<Arc<ServerConfig>>) -> Self {
        Self(Arc::new(Shared {
            sources: None,
            present: Mutex::new(config.into()),
        }))
    }

    /// Reads the files again, for the handshakes that begin from now on. Connections keep what they have. Clients can
    /// resume their sessions, unless certificates of clients are checked: then each client shows its certificate
    /// again. Does nothing for a configuration from [`from_rustls`](Self::from_rustls).
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// As for [`from_pem_files`](Self::from_pem_files). The present certificates stay in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        if let Some(sources) = &self.0.sources {
            let config = sources.read()?;
            *self.0.present.lock() = Arc::new(config);
        }
        Ok(())
    }

    /// Uses a configuration that the program has made with rustls, for the handshakes that begin from now on.
    ///
    /// ```
    /// use socketserver::tls::TlsConfig;
    ///
    /// fn exchange(tls: &TlsConfig, config: rustls::ServerConfig) {
    ///     tls.replace(config);
    /// }
    /// # let _ = exchange;
    /// ```
    pub fn replace(&self, config: impl Into<Arc<ServerConfig>>) {
        *self.0.present.lock() = config.into();
    }

    /// Returns the present configuration, for uses of rustls of your own, such as STARTTLS: a handler continues a plain
    /// connection with TLS.
    ///
    /// ```
    /// use socketserver::tls::TlsConfig;
    ///
    /// fn begin(tls: &TlsConfig) -> Result<rustls::ServerConnection, rustls::Error> {
    ///     rustls::ServerConnection::new(tls.to_rustls())
    /// }
    /// # let _ = begin;
    /// ```
    pub fn to_rustls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.present.lock())
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("sources", &self.0.sources)
            .finish_non_exhaustive()
    }
}

/// Makes a [`TlsConfig`].
///
/// ```
/// use socketserver::tls::{ClientCertificates, TlsConfig};
///
/// # let file = |name| format!("{}/tests/support/certificates/{name}", env!("CARGO_MANIFEST_DIR"));
/// let tls = TlsConfig::builder()
///     .certificate(file("server.pem"), file("server.key"))
///     .certificate_for("*.example.org", file("other.pem"), file("other.key"))
///     .client_certificates(ClientCertificates::Optional(file("authority.pem").into()))
///     .alpn_protocols(["http/1.1"])
///     .only_tls_1_3()
///     .build()?;
/// # Ok::<(), socketserver::tls::TlsError>(())
/// ```
#[derive(Clone)]
#[must_use = "it does nothing until `build`"]
pub struct TlsConfigBuilder {
    default: Option<CertificateFiles>,
    by_name: Vec<(String, CertificateFiles)>,
    clients: ClientCertificates,
    protocols: Vec<Vec<u8>>,
    minimum_is_1_3: bool,
    /// Kept when the files are read again, so that clients can resume their sessions, unless they show certificates.
    ticketer: Option<Arc<dyn ProducesTickets>>,
}

impl TlsConfigBuilder {
    /// The certificate for every name that has none of its own, as two PEM files.
    ///
    /// See the [example](Self).
    pub fn certificate(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.default = Some(files(certificate, key));
        self
    }

    /// The certificate for clients that ask for this name (SNI). `*.example.org` stands for every name with one
    /// more label. It is not checked whether the certificate is for this name; clients check it.
    ///
    /// See the [example](Self).
    #[doc(alias = "sni_callback")]
    pub fn certificate_for(
        mut self,
        name: &str,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Self {
        let files = files(certificate, key);
        self.by_name.push((name.to_ascii_lowercase(), files));
        self
    }

    /// Whether clients show a certificate. Default: [`ClientCertificates::None`].
    ///
    /// See the [example](Self).
    #[doc(alias = "load_verify_locations")]
    #[doc(alias = "mTLS")]
    pub fn client_certificates(mut self, clients: ClientCertificates) -> Self {
        self.clients = clients;
        self
    }

    /// The application protocols of the server, the preferred first (ALPN). A client that offers protocols but
    /// none of these is rejected. Default: none.
    ///
    /// See the [example](Self).
    #[doc(alias = "set_alpn_protocols")]
    pub fn alpn_protocols<P: AsRef<[u8]>>(
        mut self,
        protocols: impl IntoIterator<Item = P>,
    ) -> Self {
        self.protocols = protocols
            .into_iter()
            .map(|protocol| protocol.as_ref().to_vec())
            .collect();
        self
    }

    /// Rejects clients that speak TLS 1.2 at most.
    ///
    /// See the [example](Self).
    #[doc(alias = "minimum_version")]
    pub fn only_tls_1_3(mut self) -> Self {
        self.minimum_is_1_3 = true;
        self
    }

    /// Reads the files.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// As for [`TlsConfig::from_pem_files`]; if there is no certificate.
    pub fn build(mut self) -> Result<TlsConfig, TlsError> {
        self.ticketer = Some(new_ticketer()?);
        let config = self.read()?;
        Ok(TlsConfig(Arc::new(Shared {
            sources: Some(self),
            present: Mutex::new(Arc::new(config)),
        })))
    }

    fn read(&self) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let certificates = self.read_certificates(&provider)?;
        let versions = match self.minimum_is_1_3 {
            true => &[&rustls::version::TLS13][..],
            false => rustls::ALL_VERSIONS,
        };
        let failed = |error| TlsError::new("the TLS configuration is not possible", error);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(failed)?;
        let verifier = |path: &Path| {
            let roots = read_roots(path)?;
            Ok(WebPkiClientVerifier::builder_with_provider(roots, provider))
        };
        let failed = |error| TlsError::new("clients' certificates cannot be checked", error);
        let builder = match &self.clients {
            ClientCertificates::None => builder.with_no_client_auth(),
            ClientCertificates::Optional(path) => {
                let verifier = verifier(path)?.allow_unauthenticated().build();
                builder.with_client_cert_verifier(verifier.map_err(failed)?)
            }
            ClientCertificates::Required(path) => {
                let verifier = verifier(path)?.build();
                builder.with_client_cert_verifier(verifier.map_err(failed)?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols.clone_from(&self.protocols);
        config.ticketer = match (&self.clients, &self.ticketer) {
            (ClientCertificates::None, Some(ticketer)) => Arc::clone(ticketer),
            // The certificate of a client is not checked again when its session is resumed. Its authority may be
            // trusted no more.
            _ => new_ticketer()?,
        };
        Ok(config)
    }

    fn read_certificates(&self, provider: &CryptoProvider) -> Result<Certificates, TlsError> {
        if self.default.is_none() && self.by_name.is_empty() {
            let missing = TlsError::new("no certificate", "the server has nothing to show");
            return Err(missing.with_advice("call `certificate` before `build`"));
        }
        let default = self.default.as_ref().map(|files| files.read(provider));
        let mut by_name = HashMap::new();
        for (name, files) in &self.by_name {
            by_name.insert(name.clone(), files.read(provider)?);
        }
        Ok(Certificates {
            default: default.transpose()?,
            by_name,
        })
    }
}

fn new_ticketer() -> Result<Arc<dyn ProducesTickets>, TlsError> {
    let failed = |error| TlsError::new("no keys for the resumption of sessions", error);
    ring::Ticketer::new().map_err(failed)
}

fn files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> CertificateFiles {
    CertificateFiles {
        chain: certificate.as_ref().into(),
        key: key.as_ref().into(),
    }
}

impl fmt::Debug for TlsConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfigBuilder")
            .field("default", &self.default)
            .field("by_name", &self.by_name)
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}
