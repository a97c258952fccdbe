//! The listeners of the echo server: where they listen, and what they have in common.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use socketserver::prelude::*;
use socketserver::transport::Stream;
use socketserver::{AccessList, RequestKind, ServerOptions, Transport};

use crate::{Arguments, Echo, count};

/// Where a listener listens, as on the command line.
#[derive(Clone)]
pub(crate) enum Listen {
    Tcp(String),
    Udp(String),
    Tls(String),
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let address = |scheme| text.strip_prefix(scheme).map(str::to_owned);
        let listen = (address("tcp://").map(Self::Tcp))
            .or_else(|| address("udp://").map(Self::Udp))
            .or_else(|| address("tls://").map(Self::Tls))
            .or_else(|| address("unix:").map(|path| Self::Unix(path.into())));
        listen.ok_or_else(|| "not tcp://ADDRESS, udp://ADDRESS, tls://ADDRESS or unix:PATH".into())
    }
}

/// The bound listeners, in the order of the command line.
pub(crate) struct Listeners {
    pub(crate) group: ServerGroup,
    pub(crate) addresses: Vec<String>,
    servers: Vec<(RequestKind, ServerHandle)>,
}

impl Listeners {
    /// Binds all listeners, or none.
    pub(crate) fn bind(arguments: &Arguments, service: Echo) -> Result<Self> {
        let most = arguments.max_connections.map(NonZeroUsize::get);
        let mut listeners = Self {
            group: ServerGroup::new()
                .grace_period(arguments.grace)
                .max_connections(most),
            addresses: Vec::new(),
            servers: Vec::new(),
        };
        if arguments.listen.is_empty() {
            let (tcp, udp) = bind_pair(arguments, service)?;
            listeners.add("", tcp, arguments);
            listeners.add("", udp, arguments);
        }
        for listen in &arguments.listen {
            match listen {
                Listen::Tcp(address) => {
                    let tcp = streams(TcpServer::options(), arguments)?;
                    listeners.add("tcp://", tcp.bind(&**address, service)?, arguments);
                }
                Listen::Udp(address) => {
                    let udp = UdpServer::options().access_list(access_list(arguments)?);
                    listeners.add("udp://", udp.bind(&**address, service)?, arguments);
                }
                #[cfg(feature = "tls")]
                Listen::Tls(address) => {
                    let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key)
                    else {
                        return Err("tls:// needs --tls-cert FILE and --tls-key FILE".into());
                    };
                    let config = socketserver::tls::TlsConfig::from_pem_files(certificate, key)?;
                    let tls = streams(TlsServer::options(), arguments)?.tls(config);
                    listeners.add("tls://", tls.bind(&**address, service)?, arguments);
                }
                #[cfg(not(feature = "tls"))]
                Listen::Tls(address) => {
                    let needed = format!("tls://{address} needs `cargo run --features tls`");
                    return Err(needed.into());
                }
                #[cfg(unix)]
                Listen::Unix(path) => {
                    let unix = UnixStreamServer::options()
                        .timeout(arguments.timeout)
                        .replace_stale(true)
                        .remove_on_close(true);
                    listeners.add("unix:", unix.bind(path, service)?, arguments);
                }
                #[cfg(not(unix))]
                Listen::Unix(path) => {
                    return Err(format!("unix:{} is for Unix", path.display()).into());
                }
            }
        }
        Ok(listeners)
    }

    /// Adds a bound server to the group.
    fn add<T, S, M>(&mut self, scheme: &str, server: Server<T, S, M>, arguments: &Arguments)
    where
        T: Transport,
        S: Service<T::Request>,
        M: Strategy,
    {
        self.addresses
            .push(format!("{scheme}{}", server.server_address()));
        self.servers.push((T::KIND, server.handle()));
        let server = server.strategy(arguments.strategy());
        self.group = std::mem::take(&mut self.group).add(server);
    }

    /// Returns the counters of all servers for connections.
    pub(crate) fn connections(&self) -> Counts {
        counts(&self.servers, RequestKind::Connection)
    }

    /// Closes the servers. Returns what they have done since their start, and since the stop.
    pub(crate) fn close(self) -> (String, DrainReport) {
        let report = self.group.server_close().total();
        let connections = counts(&self.servers, RequestKind::Connection);
        let datagrams = counts(&self.servers, RequestKind::Datagram);
        let mut summary = format!(
            "served {} and {}, {} failed",
            count(connections.completed, "connection"),
            count(datagrams.completed, "datagram"),
            connections.failed + datagrams.failed,
        );
        if connections.force_closed > 0 {
            summary += &format!(", {} force-closed", connections.force_closed);
        }
        (summary, report)
    }
}

/// Binds a TCP and a UDP server to the same port number.
fn bind_pair(arguments: &Arguments, service: Echo) -> Result<(TcpServer<Echo>, UdpServer<Echo>)> {
    let mut attempts = if arguments.port == 0 { 20 } else { 1 };
    loop {
        let address = (arguments.host.as_str(), arguments.port);
        let tcp = streams(TcpServer::options(), arguments)?.bind(address, service)?;
        attempts -= 1;
        let udp = UdpServer::options().access_list(access_list(arguments)?);
        match udp.bind(tcp.server_address(), service) {
            Ok(udp) => return Ok((tcp, udp)),
            // The port is free for TCP but not for UDP. Tries another port.
            Err(_) if attempts > 0 => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sets the options that all IP listeners with connections have in common.
fn streams<T: Stream, S, M>(
    options: ServerOptions<T, S, M>,
    arguments: &Arguments,
) -> Result<ServerOptions<T, S, M>> {
    let options = options
        .timeout(arguments.timeout)
        .access_list(access_list(arguments)?);
    if arguments.proxy_protocol.is_empty() {
        return Ok(options);
    }
    #[cfg(not(feature = "proxy-protocol"))]
    return Err("--proxy-protocol needs `cargo run --features proxy-protocol`".into());
    #[cfg(feature = "proxy-protocol")]
    {
        use socketserver::transport::ProxyProtocol;
        let proxies = ProxyProtocol::required_from(&arguments.proxy_protocol)?;
        Ok(options.proxy_protocol(proxies))
    }
}

fn access_list(arguments: &Arguments) -> Result<AccessList> {
    let list = AccessList::new().allow_all(&arguments.allow)?;
    Ok(list.deny_all(&arguments.deny)?)
}

/// Returns the sum of the counters of some servers.
fn counts(servers: &[(RequestKind, ServerHandle)], kind: RequestKind) -> Counts {
    let mut counts = Counts::default();
    for (_, server) in servers.iter().filter(|(each, _)| *each == kind) {
        let stats = server.stats();
        counts.active += stats.active;
        counts.completed += stats.completed;
        counts.failed += stats.failed;
        counts.force_closed += stats.force_closed;
    }
    counts
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) active: u64,
    completed: u64,
    failed: u64,
    force_closed: u64,
}
