//! Reads the figures of a measured server from `/proc`.

use std::io;

use crate::cpu::CpuTimes;
use crate::memory::Memory;

/// The process ID of the server. Without one, all figures are zero.
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
