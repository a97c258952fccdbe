//! Processor time from `/proc`: of the server, and of all processes outside the measurement.

use std::fs;
use std::io;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

/// Processor time used until now.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTimes {
    /// Time of the server.
    pub server: Duration,
    /// Time of all processes except the server and this program.
    pub others: Duration,
}

impl CpuTimes {
    pub fn now(server: u32) -> io::Result<Self> {
        let server = process(&format!("/proc/{server}/stat"))?;
        let load = process("/proc/self/stat")?;
        Ok(Self {
            server,
            others: machine()?.saturating_sub(server + load),
        })
    }
}

/// User and system time of a process: all its threads, ended threads included, and the child
/// processes that it has reaped.
fn process(path: &str) -> io::Result<Duration> {
    let stat = fs::read_to_string(path)?;
    // Fields are counted from the end of the second one, the name, because the name may contain
    // blanks and parentheses. utime, stime, cutime and cstime are the fields 14 to 17.
    let (_, fields) = stat.rsplit_once(')').ok_or_else(|| unexpected(path))?;
    sum_of_ticks(fields, &[11, 12, 13, 14]).ok_or_else(|| unexpected(path))
}

/// Busy time of all cores, including time stolen by other virtual machines.
fn machine() -> io::Result<Duration> {
    let path = "/proc/stat";
    let stat = fs::read_to_string(path)?;
    // cpu user nice system idle iowait irq softirq steal ...
    let all_cores = stat.lines().next().unwrap_or_default();
    sum_of_ticks(all_cores, &[1, 2, 3, 6, 7, 8]).ok_or_else(|| unexpected(path))
}

fn sum_of_ticks(line: &str, columns: &[usize]) -> Option<Duration> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let ticks = columns
        .iter()
        .map(|&column| fields.get(column)?.parse::<u64>().ok())
        .sum::<Option<u64>>()?;
    let per_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    Some(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

fn unexpected(path: &str) -> io::Error {
    io::Error::other(format!("{path} has an unexpected format"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{CpuTimes, process};

    #[test]
    fn the_time_of_this_process_grows_with_its_work() {
        let before = process("/proc/self/stat").unwrap();
        let start = Instant::now();
        while process("/proc/self/stat").unwrap() == before {
            assert!(start.elapsed() < Duration::from_secs(10), "no tick");
        }
    }

    #[test]
    fn the_rest_of_the_machine_has_been_busy_since_it_started() {
        let times = CpuTimes::now(std::process::id()).unwrap();
        assert!(times.others > Duration::ZERO);
    }
}
