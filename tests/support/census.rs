//! What a process has that servers could leave behind.

use std::fs;

/// How many threads and descriptors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Census {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
}

impl Census {
    pub(crate) fn now() -> Self {
        let count = |what| fs::read_dir(what).unwrap().count();
        Self {
            threads: count("/proc/self/task"),
            descriptors: count("/proc/self/fd"),
        }
    }
}
