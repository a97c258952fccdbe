//! The concurrent parts of socketserver under a model checker: the real sources, in a world in which every
//! order of events can occur.
//!
//! The models are in `fair_mutex`, `life_cycle`, `monitor`, `pool`, `stop` and `threading`; `tests/` says how
//! each is searched. The other modules have the crate's module tree: they include the real sources by path,
//! and replace what these need of the rest of the crate by small stand-ins.

// The sources name `std` and get the model checker's.
#[macro_use(thread_local)]
extern crate model_std as std;

mod accept_loop;
mod base;
mod coroutine;
pub mod fair_mutex;
mod job;
mod ledger;
pub mod life_cycle;
pub mod monitor;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../src/panics.rs"]
mod panics;
pub mod pool;
#[cfg(feature = "server")]
mod reentrancy;
mod request;
#[cfg(feature = "server")]
mod server;
mod state;
mod strategy;
mod sys;
pub mod threading;
#[cfg(feature = "server")]
#[allow(dead_code)]
#[path = "../../src/timeout.rs"]
mod timeout;

#[cfg(feature = "server")]
pub use self::server::stop;

#[cfg(feature = "server")]
use self::base::{accept_error, address, error, logging};

use std::time::Duration;

/// Longer than any model: a wait of this length has no timeout, so that a missing wake-up is a deadlock,
/// which the model checker reports.
const FOREVER: Duration = Duration::MAX;

/// A wait of this length may time out at any moment.
const SOME_TIME: Duration = Duration::from_millis(250);
