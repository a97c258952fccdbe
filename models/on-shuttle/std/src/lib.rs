//! The standard library, with locks, atomics, threads and time that are the model checker's.
//!
//! The sources under test get it in the place of `std` (`extern crate std_on_shuttle as std`), so that they
//! are checked as they are. Only what these sources use is replaced; all else is the real one.

pub use ::std::*;

pub mod chance;
pub mod sync;
pub mod thread;
#[path = "../../../shims/time.rs"]
pub mod time;

pub use shuttle::thread_local;
