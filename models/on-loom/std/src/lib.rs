//! The standard library, with locks, atomics, threads and time that are loom's: the same as the one on
//! shuttle, for searches that are exhaustive.

pub use ::std::*;

pub mod sync;
pub mod thread;
#[path = "../../../shims/time.rs"]
pub mod time;

pub use loom::thread_local;
