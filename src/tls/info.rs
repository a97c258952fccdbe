//! What a TLS handshake has agreed on.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};

/// What a TLS handshake has agreed on, and what the client has shown:
/// [`ConnectionInfo::tls`](crate::request::ConnectionInfo::tls). Cheap to clone.
///
/// ```
/// use socketserver::prelude::*;
/// use socketserver::request::StreamSocket;
///
/// fn describe(request: &mut TlsRequest) -> Result {
///     let info = request.connection_info();
///     if let Some(tls) = info.tls() {
///         writeln!(request, "{} with {}", tls.version(), tls.cipher_suite())?;
///         writeln!(request, "you asked for {:?}", tls.server_name())?;
///         writeln!(request, "protocol {:?}", tls.alpn_protocol())?;
///         writeln!(request, "certificates: {}", tls.peer_certificates().len())?;
///         writeln!(request, "resumed: {}", tls.is_resumed())?;
///     }
///     // The socket has it, too.
///     assert_eq!(info.is_encrypted(), request.socket().tls_info().is_some());
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct TlsInfo(Arc<Agreed>);

struct Agreed {
    server_name: Option<String>,
    alpn_protocol: Option<Vec<u8>>,
    peer_certificates: Vec<CertificateDer<'static>>,
    version: &'static str,
    cipher_suite: String,
    is_resumed: bool,
}

impl TlsInfo {
    pub(crate) fn of(connection: &ServerConnection) -> Self {
        let suite = connection.negotiated_cipher_suite();
        Self(Arc::new(Agreed {
            server_name: connection.server_name().map(str::to_owned),
            alpn_protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
            peer_certificates: connection
                .peer_certificates()
                .map(|chain| chain.iter().map(|der| der.clone().into_owned()).collect())
                .unwrap_or_default(),
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "unknown",
            },
            cipher_suite: suite
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown")
                .replacen("TLS13_", "TLS_", 1),
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }))
    }

    /// The server name that the client asked for (SNI).
    ///
    /// See the [example](Self).
    #[doc(alias = "server_hostname")]
    #[doc(alias = "SNI")]
    pub fn server_name(&self) -> Option<&str> {
        self.0.server_name.as_deref()
    }

    /// The protocol that client and server have chosen (ALPN), such as `http/1.1`.
    ///
    /// See the [example](Self).
    #[doc(alias = "selected_alpn_protocol")]
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.0.alpn_protocol.as_deref()
    }

    /// The certificates that the client has shown, its own first, in DER. Empty if it has shown none.
    ///
    /// See the [example](Self).
    #[doc(alias = "getpeercert")]
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        &self.0.peer_certificates
    }

    /// The version, with Python's names: `TLSv1.2` or `TLSv1.3`.
    ///
    /// See the [example](Self).
    pub fn version(&self) -> &'static str {
        self.0.version
    }

    /// The name of the cipher suite in the registry of IANA, such as `TLS_AES_256_GCM_SHA384` or
    /// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`. Python has OpenSSL's names: the same for TLS 1.3, others for TLS 1.2
    /// (`ECDHE-RSA-AES128-GCM-SHA256`).
    ///
    /// See the [example](Self).
    #[doc(alias = "cipher")]
    pub fn cipher_suite(&self) -> &str {
        &self.0.cipher_suite
    }

    /// Whether the handshake has resumed an earlier session of this client.
    ///
    /// See the [example](Self).
    #[doc(alias = "session_reused")]
    pub fn is_resumed(&self) -> bool {
        self.0.is_resumed
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("server_name", &self.server_name())
            .field("version", &self.version())
            .field("cipher_suite", &self.cipher_suite())
            .finish_non_exhaustive()
    }
}
