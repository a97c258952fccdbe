//! The crate's `state`: the life cycle, the counters and the registry are the real sources; what they list
//! is a stand-in.

#[cfg(feature = "server")]
mod connection_state;
#[cfg(feature = "server")]
pub(crate) mod connectionless;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../../src/state/connections.rs"]
mod connections;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../../src/state/counters.rs"]
pub(crate) mod counters;
#[cfg(feature = "server")]
mod descriptor_reserve;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../../src/state/in_flight.rs"]
mod in_flight;
#[allow(dead_code)]
#[path = "../../../src/state/life_cycle.rs"]
pub(crate) mod life_cycle;
#[cfg(feature = "server")]
pub(crate) mod limits;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../../src/state/live_connection.rs"]
pub(crate) mod live_connection;
#[path = "../../../src/state/phase.rs"]
mod phase;
#[cfg(feature = "server")]
mod request_info;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../../src/state/server_state.rs"]
mod server_state;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../../src/state/servers.rs"]
pub(crate) mod servers;
#[path = "../../../src/state/shutdown.rs"]
mod shutdown;
#[allow(dead_code)]
#[path = "../../../src/state/shutdown_config.rs"]
mod shutdown_config;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../../src/state/stats.rs"]
mod stats;

pub(crate) use self::phase::Phase;
pub(crate) use self::shutdown_config::ShutdownConfig;

#[cfg(feature = "server")]
pub(crate) use self::{
    connection_state::ConnectionState,
    in_flight::InFlight,
    request_info::RequestInfo,
    server_state::ServerState,
    stats::{AcceptErrorCounts, RejectionCounts, Stats, TimeoutCounts},
};

#[cfg(feature = "server")]
#[derive(Clone)]
pub(crate) struct ServerHandle(pub(crate) std::sync::Arc<ServerState>);
