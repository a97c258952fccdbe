//! The concurrent parts of socketserver under a model checker: the sources themselves, in a world in which
//! every order of events can come about.
//!
//! Here are the models, one file for each part; `tests/` says how each is searched. What the sources
//! need of the rest of the crate is replaced by the small modules `job`, `strategy` and `sys`, which
//! include the real files, too.

// The sources say `std` and get the model checker's.
#[macro_use(thread_local)]
extern crate model_std as std;

mod acceptor;
mod job;
mod ledger;
pub mod life;
#[allow(dead_code)]
#[path = "../../src/server/life.rs"]
mod life_cycle;
pub mod monitor;
pub mod pool;
#[cfg(feature = "core")]
mod request;
#[cfg(feature = "core")]
mod rest;
#[cfg(feature = "core")]
mod server;
mod strategy;
mod sys;
pub mod threading;
#[cfg(feature = "core")]
#[allow(dead_code)]
#[path = "../../src/timeout.rs"]
mod timeout;
pub mod turn;

#[cfg(feature = "core")]
#[allow(dead_code)]
#[path = "../../src/panics.rs"]
mod panics;
#[cfg(feature = "core")]
pub use self::server::stop;

#[cfg(feature = "core")]
use self::rest::{accept_error, address, error, logging};

use std::time::Duration;

/// Longer than anything: a wait of that length has no timeout, and a wake-up that does not come is a
/// deadlock, which the model checker reports.
const FOREVER: Duration = Duration::MAX;

/// A wait of that length may be over at any moment.
const SOME_TIME: Duration = Duration::from_millis(250);
