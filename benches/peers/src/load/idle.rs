//! `idle`: many connections that are open and silent, and a few that are not.

use std::net::SocketAddrV4;

use super::streams::Streams;
use crate::Result;
use crate::meter::{Meter, Sample};

/// The connections on which messages are on their way.
pub const ACTIVE: u16 = 8;

/// Every idle connection is served once before it falls silent, as one that has a past is, and
/// once more at the end: it must not have been forgotten.
pub fn run(server: SocketAddrV4, idle: u16, size: usize, mut meter: Meter) -> Result<Sample> {
    let mut active = Streams::connect(server, ACTIVE, size)?;
    meter.before_connecting(idle)?;
    let mut idle = Streams::connect(server, idle, size)?;
    active.play(&mut meter)?;
    let sample = meter.finish()?;
    idle.ask_all()?;
    idle.finish()?;
    active.finish()?;
    Ok(sample)
}
