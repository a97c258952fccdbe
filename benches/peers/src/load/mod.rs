//! The load: one thread, an epoll set, every byte of every echo compared.
//!
//! One thread, because the server has the other core; epoll, because a load that spends
//! more on an operation than the server does would measure itself.

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

/// How long to sleep at most before looking at the clock, in milliseconds.
const TICK: u16 = 20;

/// How long to wait for the echoes that are on their way at the end.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// How many events one wait takes.
const EVENTS: usize = 256;

/// What one read takes at most.
const BUFFER_SIZE: usize = 64 * 1024;

fn new_epoll() -> Result<(Epoll, [EpollEvent; EVENTS])> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    Ok((epoll, [EpollEvent::empty(); EVENTS]))
}
