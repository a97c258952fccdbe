//! Names for descriptors, as in the crate.

pub(crate) use std::os::fd::{BorrowedFd, OwnedFd};
