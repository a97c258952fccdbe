//! Pins the server to one core and the load to another, so that they do not compete, and a server's
//! rate is the rate of one core.

use std::num::NonZero;
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::Result;

/// The cores of the server and the load; `None` leaves the choice to the scheduler.
pub struct Pinning(Option<Cores>);

struct Cores {
    server: usize,
    load: usize,
}

impl Pinning {
    pub const OFF: Self = Self(None);

    /// Uses the first two cores that this process may use. Off if there is only one.
    pub fn of_this_machine() -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core) == Ok(true));
        let cores = cores
            .next()
            .zip(cores.next())
            .map(|(server, load)| Cores { server, load });
        if cores.is_none() {
            eprintln!("only one core: server and load share it, so the ratios are unreliable");
        }
        Ok(Self(cores))
    }

    /// Number of cores that the server may use.
    pub fn server_cores(&self) -> u16 {
        if self.0.is_some() {
            return 1;
        }
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        cores.try_into().unwrap_or(u16::MAX)
    }

    /// Starts a process on the server's core, then moves the calling thread to the load's core. The
    /// process inherits the core of the thread that starts it.
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
