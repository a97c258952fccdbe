//! The server on one core, the load on another: neither takes time from the other, and a
//! server's rate is the rate of one core.

use std::num::NonZero;
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::Result;

/// The cores for the two sides; `None` leaves both where the scheduler puts them.
pub struct Pinning(Option<Cores>);

struct Cores {
    server: usize,
    load: usize,
}

impl Pinning {
    pub const OFF: Self = Self(None);

    /// Take the first two cores that this process may use; off where there is only one.
    pub fn of_this_machine() -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core) == Ok(true));
        let cores = cores
            .next()
            .zip(cores.next())
            .map(|(server, load)| Cores { server, load });
        if cores.is_none() {
            eprintln!("one core only: server and load share it, ratios mean little");
        }
        Ok(Self(cores))
    }

    /// How many cores the server may use.
    pub fn server_cores(&self) -> u16 {
        if self.0.is_some() {
            return 1;
        }
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        cores.try_into().unwrap_or(u16::MAX)
    }

    /// Start a process on the server's core: it inherits the core from the thread that
    /// starts it, which is then sent to the load's core.
    pub fn start_server<T>(&self, start: impl FnOnce() -> T) -> Result<T> {
        let Some(cores) = &self.0 else {
            return Ok(start());
        };
        pin_this_thread(cores.server)?;
        let started = start();
        pin_this_thread(cores.load)?;
        Ok(started)
    }
}

fn pin_this_thread(core: usize) -> Result {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set)?;
    Ok(())
}
