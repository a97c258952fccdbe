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
pub mod monitor;
pub mod pool;
mod strategy;
mod sys;
pub mod threading;
pub mod turn;

use std::time::Duration;

/// Longer than anything: a wait of that length has no timeout, and a wake-up that does not come is a
/// deadlock, which the model checker reports.
const FOREVER: Duration = Duration::MAX;

/// A wait of that length may be over at any moment.
const SOME_TIME: Duration = Duration::from_millis(250);
