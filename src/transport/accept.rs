//! Transports that accept connections as sockets, below the requests.

use std::io;

use crate::request::{StreamRequest, StreamSocket};
use crate::state::ServerHandle;
use crate::timeout::TimeoutConfig;
#[cfg(feature = "proxy-protocol")]
use crate::transport::ProxyProtocol;
use crate::transport::{SocketOptions, Stream, Transport};

/// A transport of connections that another one can wrap. Seals the parameter of `Tls`.
#[cfg_attr(not(feature = "tls"), expect(unreachable_pub))]
pub trait Accept: Stream {
    /// The type of the sockets.
    type Socket: StreamSocket<Address = <Self as Transport>::Address>;

    /// Accepts one waiting connection. Returns its socket and the address of its client.
    fn accept(&self) -> io::Result<(Self::Socket, Self::Address)>;
}

/// Options that the requests of accepted connections need.
#[derive(Clone, Debug)]
pub(super) struct RequestConfig {
    timeouts: TimeoutConfig,
    #[cfg(feature = "proxy-protocol")]
    proxy_protocol: Option<ProxyProtocol>,
}

impl RequestConfig {
    pub(super) fn new(options: &SocketOptions) -> Self {
        Self {
            timeouts: options.timeouts,
            #[cfg(feature = "proxy-protocol")]
            proxy_protocol: options.proxy_protocol.clone(),
        }
    }

    /// Makes the request of an accepted connection.
    pub(super) fn request<S: StreamSocket>(
        &self,
        socket: S,
        client_address: S::Address,
        server: &ServerHandle,
    ) -> StreamRequest<S> {
        let request = StreamRequest::accepted(socket, client_address, server, &self.timeouts);
        #[cfg(feature = "proxy-protocol")]
        if let Some(proxy_protocol) = &self.proxy_protocol {
            let mut request = request;
            proxy_protocol.apply(&mut request, self.timeouts.handshake);
            return request;
        }
        request
    }
}
