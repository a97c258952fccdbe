//! Memory of a process from `/proc`.

use std::fs;
use std::io;

/// Memory in KiB, from `/proc/PID/status`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident memory, `VmRSS`.
    pub resident: f64,
    /// Page tables, `VmPTE`; not part of `VmRSS`.
    pub page_tables: f64,
}

impl Memory {
    pub fn now(process: u32) -> io::Result<Self> {
        let path = format!("/proc/{process}/status");
        let status = fs::read_to_string(&path)?;
        let value = |key| {
            kibibytes(&status, key)
                .ok_or_else(|| io::Error::other(format!("{path} has no {key} in kB")))
        };
        Ok(Self {
            resident: value("VmRSS:")?,
            page_tables: value("VmPTE:")?,
        })
    }

    /// Growth since `before`, divided by the number of connections.
    pub fn per_connection(self, before: Self, connections: u16) -> Self {
        let share = |now: f64, before: f64| (now - before) / f64::from(connections);
        Self {
            resident: share(self.resident, before.resident),
            page_tables: share(self.page_tables, before.page_tables),
        }
    }
}

fn kibibytes(status: &str, key: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn used_memory_is_counted() {
        let before = Memory::now(std::process::id()).unwrap();
        let used = vec![1_u8; 64 << 20];
        let after = Memory::now(std::process::id()).unwrap();
        let share = after.per_connection(before, 16);
        assert!(used.iter().all(|&byte| byte == 1));
        assert!((3900.0..4400.0).contains(&share.resident), "{share:?}");
    }
}
