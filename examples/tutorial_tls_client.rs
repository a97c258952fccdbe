//! The client of the server that greets over TLS (`docs/tutorial`).
//!
//! Start `tutorial_tls` in one terminal, and the client in another, in the directory of the certificate:
//!
//! ```text
//! $ cargo run -q --features tls --example tutorial_tls_client Ada
//! hello, Ada, over TLSv1.3
//! ```
//!
//! An address before the name replaces `localhost:6969`, a file after it `cert.pem`. Python twin:
//! `examples/python/tutorial_tls_client.py`.

mod common;

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;

use common::address_and_words;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socketserver::Result;

fn main() -> Result {
    let (address, words) = address_and_words("localhost:6969");
    let name = words.first().ok_or("your name is missing")?;
    let trusted = words.get(1).map_or("cert.pem", String::as_str);

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();

    // The certificate must be for this host.
    let (host, _) = address.rsplit_once(':').ok_or("the port is missing")?;
    let host = ServerName::try_from(host.to_owned())?;
    let session = ClientConnection::new(Arc::new(config), host)?;
    let mut server = StreamOwned::new(session, TcpStream::connect(&address)?);
    writeln!(server, "{name}")?;
    print!("{}", io::read_to_string(server)?);
    Ok(())
}
