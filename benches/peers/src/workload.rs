//! The workloads and the numbers that shape them.

use std::net::SocketAddrV4;

use clap::{Args, ValueEnum};

use crate::Result;
use crate::load;
use crate::meter::{Meter, Sample};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    Messages,
    Churn,
    Fork,
    Udp,
    UdpPingpong,
}

/// How much of everything; the same for every peer.
#[derive(Args, Clone, Copy, Debug)]
pub struct Shape {
    /// Bytes in a message or datagram
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(8..=60_000))]
    pub size: u16,
    /// Open connections of `messages`, and workers of its thread pool
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=4_000))]
    pub connections: u16,
    /// Connections at a time of `churn`, and workers of its thread pool
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub slots: u16,
    /// Datagrams on their way in `udp`
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub window: u16,
}

impl Workload {
    pub const ALL: [Self; 5] = [
        Self::Messages,
        Self::Churn,
        Self::Fork,
        Self::Udp,
        Self::UdpPingpong,
    ];

    /// Put the load on the server at `address` until `meter` says that it is over.
    pub fn load(self, shape: &Shape, address: SocketAddrV4, meter: Meter<'_>) -> Result<Sample> {
        let size = usize::from(shape.size);
        match self {
            Self::Messages => load::streams::run(address, shape.connections, size, meter),
            Self::Churn | Self::Fork => load::churn::run(address, shape.slots, size, meter),
            Self::Udp => load::udp::run(address, shape.window, size, meter),
            Self::UdpPingpong => load::udp::run(address, 1, size, meter),
        }
    }

    /// What one operation is called in the table.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Messages => "messages/s",
            Self::Churn | Self::Fork => "connections/s",
            Self::Udp | Self::UdpPingpong => "datagrams/s",
        }
    }

    /// The heading over the table.
    pub fn title(self, shape: &Shape) -> String {
        let size = shape.size;
        match self {
            Self::Messages => format!(
                "messages: {size} bytes to and fro on each of {} TCP connections",
                shape.connections
            ),
            Self::Churn => format!(
                "churn: connect, {size} bytes to and fro, close; {} TCP connections at a time",
                shape.slots
            ),
            Self::Fork => format!(
                "fork: the same, each connection in a process of its own; {} at a time",
                shape.slots
            ),
            Self::Udp => format!(
                "udp: {size} bytes to and fro, {} datagrams on their way",
                shape.window
            ),
            Self::UdpPingpong => {
                format!("udp-pingpong: {size} bytes to and fro, one datagram on its way")
            }
        }
    }
}
