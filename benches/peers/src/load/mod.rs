//! The load generator: one thread with an epoll set. Every byte of every echo is compared.
//!
//! It has one thread because the server uses the other core. It uses epoll because it must spend less
//! time on an operation than the server. Otherwise the measured rate would be the rate of the load.

use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent};

use crate::Result;

pub mod churn;
mod dialer;
mod exchange;
pub mod idle;
pub mod slow;
pub mod streams;
pub mod udp;

/// Longest wait for events before the clock is read again, in milliseconds.
const TICK: u16 = 20;

/// Time limit for an echo outside the measurement, and for the echo of a slow client's byte.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of events per wait.
const EVENTS: usize = 256;

/// Maximum number of bytes per read.
const BUFFER_SIZE: usize = 64 * 1024;

fn new_epoll() -> Result<(Epoll, [EpollEvent; EVENTS])> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    Ok((epoll, [EpollEvent::empty(); EVENTS]))
}
