//! The state that a server, its handle and its requests share.

pub(crate) mod broadcast;
pub(crate) mod connection_state;
pub(crate) mod connectionless;
mod connections;
pub(crate) mod counters;
mod descriptor_reserve;
mod handle;
pub(crate) mod in_flight;
pub(crate) mod life_cycle;
pub(crate) mod limits;
mod phase;
mod request_info;
pub(crate) mod sender;
pub(crate) mod server_state;
mod shutdown_config;
mod stats;

pub(crate) use self::connection_state::ConnectionState;
pub use self::handle::ServerHandle;
pub use self::limits::{OverloadPolicy, Rejection};
pub use self::phase::Phase;
pub use self::request_info::{Activity, RequestInfo};
pub use self::sender::Sender;
pub use self::stats::{AcceptErrorCounts, RejectionCounts, Stats, TimeoutCounts};

pub(crate) use self::in_flight::InFlight;
pub(crate) use self::server_state::ServerState;
pub(crate) use self::shutdown_config::ShutdownConfig;
