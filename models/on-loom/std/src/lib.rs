//! The standard library with loom's locks, atomics, threads and time: the same as the one on shuttle, for
//! exhaustive searches.

pub use ::std::*;

pub mod sync;
pub mod thread;
#[path = "../../../shims/time.rs"]
pub mod time;

pub use loom::thread_local;
