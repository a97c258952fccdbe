//! `idle`: many open, silent connections, and a few active ones.

use std::net::SocketAddrV4;

use super::streams::Streams;
use crate::Result;
use crate::meter::{Meter, Sample};

/// Number of active connections.
pub const ACTIVE: u16 = 8;

/// Serves every idle connection once before the measurement, so that the server has allocated what it
/// needs for it, and once after the measurement, to check that the server still serves it.
pub fn run(server: SocketAddrV4, idle: u16, size: usize, mut meter: Meter) -> Result<Sample> {
    let mut active = Streams::connect(server, ACTIVE, size)?;
    meter.before_connecting(idle)?;
    let mut idle = Streams::connect(server, idle, size)?;
    active.run(&mut meter)?;
    let sample = meter.finish()?;
    idle.echo_all()?;
    idle.finish()?;
    active.finish()?;
    Ok(sample)
}
