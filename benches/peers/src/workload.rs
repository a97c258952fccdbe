//! The workloads and their sizes.

use std::net::SocketAddrV4;

use clap::{Args, ValueEnum};

use crate::Result;
use crate::load;
use crate::meter::{Meter, Sample};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Echoes on many open TCP connections
    Messages,
    /// `messages` with large messages
    Large,
    /// Echoes on a few TCP connections beside many silent ones
    Idle,
    /// TCP connections that are opened, used for one echo and closed
    Churn,
    /// `churn` beside clients that send one byte per second
    Slow,
    /// `churn` with a process per connection
    Fork,
    /// Several UDP datagrams in flight
    Udp,
    /// One UDP datagram in flight
    UdpPingpong,
    /// `messages` with 1 to 10,000 connections
    Growth,
}

/// Sizes given on the command line. Each workload has defaults for the others.
#[derive(Args, Clone, Copy, Debug)]
pub struct ShapeOptions {
    /// Bytes per message or datagram [default: 64, large: 102400]
    #[arg(long, value_parser = clap::value_parser!(u32).range(8..=16 << 20))]
    size: Option<u32>,
    /// Number of open connections of `messages`, `large`, `idle` [default: 100, idle: 10000]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=60_000))]
    connections: Option<u16>,
    /// Number of simultaneous connections of `churn`, `slow`, `fork` [default: 32, fork: 16]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    slots: Option<u16>,
    /// Number of slow clients of `slow` [default: 200]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    slow: Option<u16>,
    /// Number of datagrams in flight in `udp` [default: 64]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    window: Option<u16>,
}

/// Sizes of a workload, the same for every peer.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub size: usize,
    pub connections: u16,
    pub slots: u16,
    pub slow: u16,
    pub window: u16,
}

impl Workload {
    pub fn shape(self, options: &ShapeOptions) -> Shape {
        let size = if self == Self::Large { 100 << 10 } else { 64 };
        let connections = if self == Self::Idle { 10_000 } else { 100 };
        let slots = if self == Self::Fork { 16 } else { 32 };
        Shape {
            size: options.size.unwrap_or(size) as usize,
            connections: options.connections.unwrap_or(connections),
            slots: options.slots.unwrap_or(slots),
            slow: options.slow.unwrap_or(200),
            window: options.window.unwrap_or(64),
        }
    }

    /// Puts the load on the server at `address` until `meter` ends the measurement.
    pub fn load(self, shape: &Shape, address: SocketAddrV4, meter: Meter) -> Result<Sample> {
        let &Shape { size, slots, .. } = shape;
        match self {
            Self::Messages | Self::Large | Self::Growth => {
                load::streams::run(address, shape.connections, size, meter)
            }
            Self::Idle => load::idle::run(address, shape.connections, size, meter),
            Self::Churn | Self::Fork => load::churn::run(address, slots, size, meter),
            Self::Slow => load::slow::run(address, shape.slow, slots, size, meter),
            Self::Udp => load::udp::run(address, shape.window, size, meter),
            Self::UdpPingpong => load::udp::run(address, 1, size, meter),
        }
    }

    /// Name of the workload on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("every workload has a name");
        value.get_name().to_owned()
    }

    /// Whether memory per connection is measured, because the connections stay open.
    pub fn has_memory(self) -> bool {
        matches!(self, Self::Messages | Self::Large | Self::Idle)
    }

    pub fn is_datagrams(self) -> bool {
        matches!(self, Self::Udp | Self::UdpPingpong)
    }

    /// Names of the peers that the others are compared with.
    pub fn references(self) -> &'static [&'static str] {
        match self {
            Self::Messages | Self::Large | Self::Churn | Self::Slow => &["c-threads", "c-epoll"],
            Self::Idle | Self::Growth => &["c-epoll"],
            Self::Fork => &["c-fork"],
            Self::Udp | Self::UdpPingpong => &["c-loop", "c-mmsg"],
        }
    }

    /// Unit of the rate in the table.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Messages | Self::Large | Self::Idle | Self::Growth => "messages/s",
            Self::Churn | Self::Slow | Self::Fork => "connections/s",
            Self::Udp | Self::UdpPingpong => "datagrams/s",
        }
    }

    /// Description of the workload above its table.
    pub fn title(self, shape: &Shape) -> String {
        let &Shape { size, slots, .. } = shape;
        let connections = shape.connections;
        match self {
            Self::Messages | Self::Large => {
                format!("echoes of {size} bytes on each of {connections} TCP connections")
            }
            Self::Idle => format!(
                "echoes of {size} bytes on each of {} TCP connections, beside {connections} silent ones",
                load::idle::ACTIVE
            ),
            Self::Churn => {
                format!("connect, echo of {size} bytes, close; {slots} TCP connections at a time")
            }
            Self::Slow => format!(
                "churn with {slots} connections at a time, beside {} that send one byte per second",
                shape.slow
            ),
            Self::Fork => {
                format!("churn with a process per connection; {slots} connections at a time")
            }
            Self::Udp => format!(
                "echoes of {size} bytes, {} datagrams in flight",
                shape.window
            ),
            Self::UdpPingpong => format!("echoes of {size} bytes, one datagram in flight"),
            Self::Growth => {
                format!("echoes of {size} bytes on each of a growing number of TCP connections")
            }
        }
    }
}
