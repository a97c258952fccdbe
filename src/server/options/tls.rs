//! Options of TLS.

use crate::server::ServerOptions;
use crate::tls::TlsConfig;
use crate::transport::Tls;

/// # TLS
impl<T, S, M> ServerOptions<Tls<T>, S, M> {
    /// Sets the certificates and protocols, which a TLS server needs: without them, `bind` fails. Python:
    /// `SSLContext`.
    ///
    /// See the [example](TlsConfig).
    #[doc(alias = "wrap_socket")]
    #[doc(alias = "certfile")]
    pub fn tls(mut self, config: TlsConfig) -> Self {
        self.socket.tls = Some(config);
        self
    }
}
