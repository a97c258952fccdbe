//! The option of the PROXY protocol.

use crate::server::ServerOptions;
use crate::transport::{ProxyProtocol, Stream};

/// # Proxies
impl<T, S, M> ServerOptions<T, S, M> {
    /// Sets from where connections begin with the header of a proxy, which says for whom it has connected. Default:
    /// none do. Nothing in Python.
    ///
    /// See the [example](ProxyProtocol).
    pub fn proxy_protocol(mut self, proxy_protocol: impl Into<Option<ProxyProtocol>>) -> Self
    where
        T: Stream,
    {
        self.socket.proxy_protocol = proxy_protocol.into();
        self
    }
}
