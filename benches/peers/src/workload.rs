//! The workloads and the numbers that shape them.

use std::net::SocketAddrV4;

use clap::{Args, ValueEnum};

use crate::Result;
use crate::load;
use crate::meter::{Meter, Sample};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Ping-pong on many open TCP connections
    Messages,
    /// The same with large messages
    Large,
    /// Ping-pong on a few TCP connections beside many that are silent
    Idle,
    /// TCP connections that are opened, used once and closed
    Churn,
    /// The same beside clients that send a byte each second
    Slow,
    /// The same as churn, with a process for each connection
    Fork,
    /// A window of UDP datagrams on their way
    Udp,
    /// One UDP datagram on its way
    UdpPingpong,
    /// `messages` with more and more connections
    Growth,
}

/// What the command line says about the workloads; what it does not say is up to each.
#[derive(Args, Clone, Copy, Debug)]
pub struct ShapeOptions {
    /// Bytes in a message or datagram [default: 64, large: 102400]
    #[arg(long, value_parser = clap::value_parser!(u32).range(8..=16 << 20))]
    size: Option<u32>,
    /// Open connections of `messages`, `large`, `idle` [default: 100, idle: 10000]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=60_000))]
    connections: Option<u16>,
    /// Connections at a time of `churn`, `slow`, `fork` [default: 32, fork: 16]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    slots: Option<u16>,
    /// Clients that are slow in `slow` [default: 200]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    slow: Option<u16>,
    /// Datagrams on their way in `udp` [default: 64]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    window: Option<u16>,
}

/// How much of everything; the same for every peer.
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

    /// Put the load on the server at `address` until `meter` says that it is over.
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

    /// Its name on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("no workload is hidden");
        value.get_name().to_owned()
    }

    /// Do its connections stay, so that each has its share of the memory?
    pub fn has_memory(self) -> bool {
        matches!(self, Self::Messages | Self::Large | Self::Idle)
    }

    pub fn is_datagrams(self) -> bool {
        matches!(self, Self::Udp | Self::UdpPingpong)
    }

    /// The names of the peers that the others are compared to.
    pub fn references(self) -> &'static [&'static str] {
        match self {
            Self::Messages | Self::Large | Self::Churn | Self::Slow => &["c-threads", "c-epoll"],
            Self::Idle | Self::Growth => &["c-epoll"],
            Self::Fork => &["c-fork"],
            Self::Udp | Self::UdpPingpong => &["c-loop", "c-mmsg"],
        }
    }

    /// What one operation is called in the table.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Messages | Self::Large | Self::Idle | Self::Growth => "messages/s",
            Self::Churn | Self::Slow | Self::Fork => "connections/s",
            Self::Udp | Self::UdpPingpong => "datagrams/s",
        }
    }

    /// The heading over the table.
    pub fn title(self, shape: &Shape) -> String {
        let &Shape { size, slots, .. } = shape;
        let connections = shape.connections;
        match self {
            Self::Messages | Self::Large => {
                format!("{size} bytes to and fro on each of {connections} TCP connections")
            }
            Self::Idle => format!(
                "{size} bytes to and fro on each of {} TCP connections, {connections} more silent",
                load::idle::ACTIVE
            ),
            Self::Churn => {
                format!(
                    "connect, {size} bytes to and fro, close; {slots} TCP connections at a time"
                )
            }
            Self::Slow => format!(
                "churn with {slots} connections at a time, beside {} that send a byte each second",
                shape.slow
            ),
            Self::Fork => {
                format!("churn, each connection in a process of its own; {slots} at a time")
            }
            Self::Udp => format!(
                "{size} bytes to and fro, {} datagrams on their way",
                shape.window
            ),
            Self::UdpPingpong => format!("{size} bytes to and fro, one datagram on its way"),
            Self::Growth => format!("{size} bytes to and fro on each of more and more connections"),
        }
    }
}
