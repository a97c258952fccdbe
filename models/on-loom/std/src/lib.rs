//! The standard library with locks, atomics and threads of loom, and time that passes only in waits. The
//! package on shuttle explains it.

pub use ::std::*;

pub mod sync;
pub mod thread;
#[path = "../../../shims/time.rs"]
pub mod time;

pub use loom::thread_local;
