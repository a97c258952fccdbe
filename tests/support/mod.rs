//! Helpers that the test programs share.

// The suite uses all of them, the other programs only some.
#![allow(dead_code, unused_imports, unused_macros)]

pub(crate) mod alone;
#[cfg(unix)]
pub(crate) mod census;
pub(crate) mod kinds;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod scale;
pub(crate) mod transcript;
