//! The models, one file for each part of the crate, and what they share.

pub(crate) mod accept_fds;
mod acceptor;
#[cfg(feature = "server")]
mod connection;
pub mod fair_mutex;
pub(crate) mod ledger;
pub mod life_cycle;
#[cfg(feature = "server")]
pub mod limits;
pub mod monitor;
#[cfg(feature = "server")]
pub mod shutdown;
pub mod thread_pool;
pub mod threading;

use std::time::Duration;

/// A wait of this length never expires. If nothing else ends it, the model checker reports a deadlock.
const FOREVER: Duration = Duration::MAX;

/// A wait of this length may expire at any moment.
const SOME_TIME: Duration = Duration::from_millis(250);
