//! Makes `examples/common` available to the programs in this directory.

#[path = "../common/mod.rs"]
mod shared;

pub(crate) use shared::*;
