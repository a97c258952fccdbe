//! TLS over TCP, or over a Unix stream socket.

use std::fmt;
use std::io;

use crate::error::{Error, with_advice};
use crate::request::{RequestKind, StreamRequest, TlsSocket};
use crate::state::ServerHandle;
use crate::sys::fd::{AsFd, BorrowedFd};
use crate::tls::TlsConfig;
use crate::transport::accept::{Accept, RequestConfig};
use crate::transport::{Bind, FromListener, Inet, SocketOptions, Stream, Tcp, Transport};
#[cfg(unix)]
use crate::transport::{Unix, UnixStream};

/// TLS over another transport of connections: [`Tcp`] or, on Unix, `UnixStream`. Each request is a connection that
/// has completed its handshake. The option [`tls`](crate::ServerOptions::tls) is required.
///
/// See the [example](crate::tls).
pub struct Tls<T> {
    inner: T,
    config: TlsConfig,
    requests: RequestConfig,
}

impl<T> Tls<T> {
    fn new(inner: T, config: TlsConfig, options: &SocketOptions) -> Self {
        Self {
            inner,
            config,
            requests: RequestConfig::new(options),
        }
    }
}

/// Returns the configuration, which is required.
fn config(options: &SocketOptions, address: &dyn fmt::Debug) -> Result<TlsConfig, Error> {
    options.tls.clone().ok_or_else(|| {
        let missing = io::Error::new(io::ErrorKind::InvalidInput, "no certificate");
        let advice = "set the option `tls`: `options().tls(TlsConfig::from_pem_files(\"cert.pem\", \
                      \"key.pem\")?).bind(..)`";
        Error::Bind {
            address: format!("{address:?}"),
            source: with_advice(missing, advice),
        }
    })
}

impl<T: Accept> Transport for Tls<T> {
    type Request = StreamRequest<TlsSocket<T::Socket>>;
    type Address = T::Address;

    const KIND: RequestKind = RequestKind::Connection;

    fn default_options() -> SocketOptions {
        T::default_options()
    }

    fn server_address(&self) -> &T::Address {
        self.inner.server_address()
    }

    fn server_activate(&self) -> io::Result<()> {
        self.inner.server_activate()
    }

    fn stop_new_connections(&self) -> io::Result<()> {
        self.inner.stop_new_connections()
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request> {
        let (socket, client_address) = self.inner.accept()?;
        let socket = TlsSocket::new(socket, &self.config);
        Ok(self.requests.request(socket, client_address, server))
    }
}

#[diagnostic::do_not_recommend]
impl<A: fmt::Debug, T: Accept + Bind<A>> Bind<A> for Tls<T> {
    fn server_bind(address: A, options: &SocketOptions) -> Result<Self, Error> {
        let config = config(options, &address)?;
        let inner = T::server_bind(address, options)?;
        Ok(Self::new(inner, config, options))
    }

    fn server_bind_all(addresses: A, options: &SocketOptions) -> Result<Vec<Self>, Error> {
        let config = config(options, &addresses)?;
        let inner = T::server_bind_all(addresses, options)?.into_iter();
        Ok(inner
            .map(|inner| Self::new(inner, config.clone(), options))
            .collect())
    }
}

impl<L: fmt::Debug, T: Accept + FromListener<L>> FromListener<L> for Tls<T> {
    fn from_listener(listener: L, options: &SocketOptions) -> Result<Self, Error> {
        let config = config(options, &listener)?;
        let inner = T::from_listener(listener, options)?;
        Ok(Self::new(inner, config, options))
    }
}

impl<T: Accept> AsFd for Tls<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<T: Accept> Stream for Tls<T> {}
impl Inet for Tls<Tcp> {}
#[cfg(unix)]
impl Unix for Tls<UnixStream> {}

impl<T: Accept> fmt::Debug for Tls<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("address", self.inner.server_address())
            .finish_non_exhaustive()
    }
}
