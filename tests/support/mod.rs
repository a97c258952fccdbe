//! Helpers that several test files share.

#![allow(dead_code)] // No test file needs all of them.

pub(crate) mod alone;
pub(crate) mod census;
pub(crate) mod kinds;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod transcript;
