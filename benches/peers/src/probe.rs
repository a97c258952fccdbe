//! What is read from `/proc` about a server that is measured.

use std::io;

use crate::cpu::CpuTimes;
use crate::memory::Memory;

/// Knows the process, or does not: a server of unknown number has used nothing.
#[derive(Clone, Copy, Debug)]
pub struct Probe(pub Option<u32>);

impl Probe {
    pub fn cpu_times(self) -> io::Result<CpuTimes> {
        self.0.map_or(Ok(CpuTimes::default()), CpuTimes::now)
    }

    pub fn memory(self) -> io::Result<Memory> {
        self.0.map_or(Ok(Memory::default()), Memory::now)
    }
}
