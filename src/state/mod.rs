//! The state shared by a server, its handles and its requests.

mod activity;
mod broadcast;
mod connection_state;
pub(crate) mod connectionless;
mod connections;
pub(crate) mod counters;
mod descriptor_reserve;
mod failure_log;
mod group;
mod group_handle;
mod handle;
mod in_flight;
pub(crate) mod life_cycle;
pub(crate) mod limits;
pub(crate) mod live_connection;
mod phase;
mod registration;
mod request_info;
pub(crate) mod sender;
pub(crate) mod server_state;
pub(crate) mod servers;
mod shutdown;
mod shutdown_config;
mod stats;
mod stats_sum;

pub use self::activity::Activity;
pub use self::group_handle::GroupHandle;
pub use self::handle::ServerHandle;
pub use self::limits::{AccessList, NetworkError, OverloadPolicy, Rejection, ToNetwork};
pub use self::phase::Phase;
pub use self::request_info::RequestInfo;
pub use self::sender::Sender;
pub use self::stats::{
    AcceptErrorCounts, HandshakeErrorCounts, RejectionCounts, Stats, TimeoutCounts,
};

pub(crate) use self::connection_state::ConnectionState;
pub(crate) use self::in_flight::InFlight;
pub(crate) use self::registration::Registration;
pub(crate) use self::server_state::ServerState;
pub(crate) use self::shutdown_config::ShutdownConfig;
