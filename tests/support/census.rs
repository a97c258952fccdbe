//! Counts of the resources of a process that a server could leak.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Number of threads and descriptors of this process. Threads are counted only on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Census {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
}

impl Census {
    pub(crate) fn now() -> Self {
        let count = |directory| fs::read_dir(directory).unwrap().count();
        Self {
            threads: match cfg!(target_os = "linux") {
                true => count("/proc/self/task"),
                false => 0,
            },
            descriptors: count("/dev/fd"),
        }
    }
}

/// Processor time that all threads of this process have used.
pub(crate) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.expect("the process has a clock").into()
}
