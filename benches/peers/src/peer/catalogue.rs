//! Which servers a workload compares.

use super::{Peer, Program};
use crate::workload::{Shape, Workload};

/// More connections than a peer with a thread for each is given.
const MANY: u16 = 1_000;

/// All that serve the workload; `cores` is how many the servers may use.
pub fn peers(workload: Workload, shape: &Shape, cores: u16) -> Vec<Peer> {
    match workload {
        Workload::Messages | Workload::Large => {
            // A worker serves its connection to the end: fewer would leave some unserved.
            streams(shape.connections, shape.connections, cores)
        }
        Workload::Growth => streams(shape.connections, shape.connections, cores)
            .into_iter()
            .filter(|peer| GROWTH.contains(&peer.name))
            .collect(),
        Workload::Idle => streams(shape.connections, shape.connections, cores),
        Workload::Churn => [
            streams(shape.slots, shape.slots, cores),
            vec![Peer::rust("rust-sequential", "tcp", "sequential", 0)],
        ]
        .concat(),
        Workload::Slow => {
            let connections = shape.slots + shape.slow;
            streams(connections, connections, cores)
        }
        Workload::Fork => vec![
            Peer::c("c-fork", env!("PEER_TCP_FORK")),
            Peer::rust("rust-forking", "tcp", "forking", 0),
            python("python-forking", "ForkingTCPServer"),
        ],
        Workload::Udp | Workload::UdpPingpong => vec![
            Peer::c("c-loop", env!("PEER_UDP_LOOP")),
            Peer::c("c-mmsg", env!("PEER_UDP_MMSG")),
            Peer::new("c-4-threads", Program::C(env!("PEER_UDP_THREADS")), &["4"]),
            Peer::rust("rust-sequential", "udp", "sequential", 0),
            Peer::rust("rust-thread-pool", "udp", "thread-pool", 4),
            python("python-sequential", "UDPServer"),
            python("python-threading", "ThreadingUDPServer"),
        ],
    }
}

/// One of each kind: a table for each number of connections is long enough.
const GROWTH: [&str; 9] = [
    "c-threads",
    "c-epoll",
    "rust-threading",
    "rust-coroutines",
    "tokio-current",
    "may",
    "go",
    "uvloop",
    "gevent",
];

/// The peers that serve `connections` of TCP at the same time.
fn streams(connections: u16, pool: u16, cores: u16) -> Vec<Peer> {
    let mut peers = vec![Peer::c("c-epoll", env!("PEER_TCP_EPOLL"))];
    if connections <= MANY {
        peers.extend([
            Peer::c("c-threads", env!("PEER_TCP_THREADS")),
            Peer::rust("rust-threading", "tcp", "threading", 0),
            Peer::rust("rust-thread-pool", "tcp", "thread-pool", pool),
            Peer::new("std-threads", Program::Rust("std_server"), &[]),
            python("python-threading", "ThreadingTCPServer"),
        ]);
    }
    let cores = &cores.to_string()[..];
    peers.extend([
        Peer::new("mio", Program::Rust("mio_server"), &[]),
        Peer::new("tokio-current", Program::Rust("tokio_server"), &["0"]),
        Peer::new("tokio-multi", Program::Rust("tokio_server"), &[cores]),
        Peer::new("may", Program::Rust("may_server"), &[cores]),
        Peer::new("go", Program::Go, &[]),
        event_loop("asyncio", "asyncio", "asyncio"),
        event_loop("uvloop", "uvloop", "uvloop"),
        event_loop("gevent", "gevent", "gevent"),
        event_loop("gevent-socketserver", "gevent-socketserver", "gevent"),
    ]);
    peers
}

fn python(name: &'static str, class: &str) -> Peer {
    let program = Program::Python("echo.py", "socketserver");
    Peer::new(name, program, &[class])
}

fn event_loop(name: &'static str, kind: &str, module: &'static str) -> Peer {
    Peer::new(name, Program::Python("event_loop.py", module), &[kind])
}
