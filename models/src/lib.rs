//! The concurrent parts of socketserver under a model checker: the unchanged sources, with locks, atomics,
//! threads and time of the model checker.
//!
//! `models` has the models; `tests/` of each package lists how each of them is searched. All other modules
//! have the names of the crate's own modules. They include the crate's files by path, and replace what the
//! included files need of the rest of the crate by small stand-ins.

// The sources use `std` and get the model checker's.
#[macro_use(thread_local)]
extern crate model_std as std;

#[cfg(feature = "server")]
mod accept_error;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../src/address.rs"]
mod address;
mod coroutine;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../src/disconnect.rs"]
mod disconnect;
mod error;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../src/escape.rs"]
mod escape;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../src/handshake_error.rs"]
mod handshake_error;
mod job;
#[cfg(feature = "server")]
mod logging;
mod models;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../src/panics.rs"]
mod panics;
#[cfg(feature = "server")]
mod reentrancy;
mod request;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
#[allow(dead_code, unused_imports)]
#[path = "../../src/state/mod.rs"]
mod state;
/// The part of the state that has no statics, because loom does not allow them.
#[cfg(not(feature = "server"))]
#[path = "../../src/state"]
mod state {
    #[allow(dead_code)]
    pub(crate) mod life_cycle;
    mod phase;
    mod shutdown;
    #[allow(dead_code)]
    mod shutdown_config;

    pub(crate) use self::phase::Phase;
    pub(crate) use self::shutdown_config::ShutdownConfig;
}
mod strategy;
mod sys;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../src/timeout.rs"]
mod timeout;

pub use self::models::{fair_mutex, life_cycle, monitor, thread_pool, threading};
#[cfg(feature = "server")]
pub use self::models::{limits, shutdown};
