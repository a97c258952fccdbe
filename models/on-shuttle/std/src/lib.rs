//! The standard library with locks, atomics and threads of shuttle, and time that passes only in waits.
//!
//! The sources under test get it as `std` (`extern crate model_std as std`) and need no change. It replaces
//! only the items that these sources use, and re-exports all others.

pub use ::std::*;

pub mod chance;
pub mod sync;
pub mod thread;
#[path = "../../../shims/time.rs"]
pub mod time;

pub use shuttle::thread_local;
