//! The standard library, with locks, atomics, threads and time that are the model checker's.
//!
//! The sources under test use it instead of `std` (`extern crate model_std as std`), so they are checked
//! unchanged. Only what they use is replaced; the rest is the real library.

pub use ::std::*;

pub mod chance;
pub mod sync;
pub mod thread;
#[path = "../../../shims/time.rs"]
pub mod time;

pub use shuttle::thread_local;
