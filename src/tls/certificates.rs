//! Certificates: read from files, and chosen by the name that the client asks for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::tls::TlsError;

/// Clients with rustls accept no certificate of an authority as that of a server, hence `CA:FALSE`.
const MAKE_SERVER_CERTIFICATE: &str = "a certificate for trying: openssl req -x509 -newkey ec -pkeyopt \
                        ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
                        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
                        -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem";

const IS_PEM: &str = "a PEM file has it; one in DER becomes PEM by: openssl x509 -inform der -in cert.der -out cert.pem; \
                      if the file has a private key, the two arguments are in the wrong order";

/// The files of one certificate.
#[derive(Clone, Debug)]
pub(super) struct CertificateFiles {
    pub(super) chain: PathBuf,
    pub(super) key: PathBuf,
}

impl CertificateFiles {
    pub(super) fn read(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
        let what = "cannot read the certificate";
        let chain = read_certificates(&self.chain, what, MAKE_SERVER_CERTIFICATE)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| {
            TlsError::new("cannot read the private key", error)
                .at(&self.key)
                .with_advice(
                    "the file needs a section BEGIN PRIVATE KEY that is not encrypted; an encrypted key becomes one by: \
                     openssl pkey -in encrypted.pem -out key.pem",
                )
        })?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            TlsError::new(
                "the private key does not belong to the certificate: key",
                error,
            )
            .at(&self.key)
            .besides("certificate", &self.chain)
            .with_advice("pass the key with which the first certificate of the file was made")
        })?;
        Ok(Arc::new(key))
    }
}

/// Reads the certificates of a file.
fn read_certificates(
    path: &Path,
    what: &'static str,
    advice: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::new(what, error).at(path).with_advice(advice);
    let certificates = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(failed)?;
    if certificates.is_empty() {
        let missing = TlsError::new("no certificate is in", "no section BEGIN CERTIFICATE");
        return Err(missing.at(path).with_advice(IS_PEM));
    }
    Ok(certificates)
}

/// Reads the certificates of the authorities that clients' certificates must come from.
pub(super) fn read_roots(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    let what = "cannot read the authorities of clients' certificates,";
    let advice = "`ClientCertificates` takes the file with the certificates that clients' certificates must come from";
    for certificate in read_certificates(path, what, advice)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::new("not a certificate of an authority:", error).at(path))?;
    }
    Ok(Arc::new(roots))
}

/// Certificates by server name.
#[derive(Debug)]
pub(super) struct Certificates {
    pub(super) default: Option<Arc<CertifiedKey>>,
    /// Keys in lower case. A name that begins with `*.` stands for one label.
    pub(super) by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let exact = |name: &str| self.by_name.get(name);
        let found = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || {
                let (_, parent) = name.split_once('.')?;
                exact(&format!("*.{parent}"))
            };
            exact(&name).or_else(wildcard)
        });
        found.or(self.default.as_ref()).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(client_hello.server_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> Arc<CertifiedKey> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/certificates");
        let files = CertificateFiles {
            chain: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
        };
        files
            .read(&rustls::crypto::ring::default_provider())
            .unwrap()
    }

    #[test]
    fn certificates_are_found_by_name() {
        let [default, other] = ["server", "other"].map(certificate);
        let certificates = Certificates {
            default: Some(Arc::clone(&default)),
            by_name: [("a.test", &other), ("*.b.test", &other)]
                .map(|(name, certificate)| (name.to_owned(), Arc::clone(certificate)))
                .into(),
        };
        for (name, expected) in [
            (None, &default),
            (Some("A.test"), &other),
            (Some("x.b.test"), &other),
            (Some("b.test"), &default),
            (Some("x.y.b.test"), &default),
            (Some("unknown.test"), &default),
        ] {
            let found = certificates.find(name).unwrap();
            assert!(Arc::ptr_eq(&found, expected), "{name:?}");
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_reported() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/certificates");
        let files = CertificateFiles {
            chain: directory.join("server.pem"),
            key: directory.join("other.key"),
        };
        let error = files
            .read(&rustls::crypto::ring::default_provider())
            .unwrap_err();
        for part in ["does not belong", "other.key", "server.pem"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
