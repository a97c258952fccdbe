//! Deadlines of calls, and the errors of calls that miss them.

use std::io;
use std::panic::Location;
use std::time::{Duration, Instant};

/// Adds the place of the call to an error.
pub(super) fn at(caller: &Location<'_>, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{caller}: {error}"))
}

pub(super) fn timed_out(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, text)
}

pub(super) fn time_until(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(timed_out("the time limit is over".into())),
        // The kernel rounds down, and zero is no limit.
        time => Ok(time.max(Duration::from_millis(1))),
    }
}
