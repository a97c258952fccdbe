//! The list of servers that each workload compares.

use super::{Peer, Program};
use crate::load::idle;
use crate::workload::{Shape, Workload};

/// All peers for the workload. `cores` is the number of cores that a server may use.
pub fn peers(workload: Workload, shape: &Shape, cores: u16) -> Vec<Peer> {
    let &Shape {
        connections, slots, ..
    } = shape;
    match workload {
        Workload::Messages | Workload::Large => streams(connections, cores),
        Workload::Growth => {
            let mut peers = streams(connections, cores);
            peers.retain(|peer| GROWTH.contains(&peer.name));
            peers
        }
        Workload::Idle => streams(connections + idle::ACTIVE, cores),
        Workload::Churn => {
            let mut peers = streams(slots, cores);
            peers.push(Peer::rust("rust-sequential", "tcp", "sequential", 0));
            peers
        }
        Workload::Slow => streams(slots + shape.slow, cores),
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
            Peer::rust("rust-threading", "udp", "threading", 0),
            Peer::rust("rust-coroutines", "udp", "coroutines", cores),
            python("python-sequential", "UDPServer"),
            python("python-threading", "ThreadingUDPServer"),
        ],
    }
}

/// The peers of `growth`: one of each kind, to keep its tables short.
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

/// The peers with a thread per connection. They are left out above [`MOST_THREADS`] connections.
const THREADED: [&str; 5] = [
    "c-threads",
    "rust-threading",
    "rust-thread-pool",
    "std-threads",
    "python-threading",
];
const MOST_THREADS: u16 = 1_000;

/// The peers that serve this number of TCP connections at the same time.
fn streams(connections: u16, cores: u16) -> Vec<Peer> {
    let workers = &cores.to_string()[..];
    let mut peers = vec![
        Peer::c("c-threads", env!("PEER_TCP_THREADS")),
        Peer::c("c-epoll", env!("PEER_TCP_EPOLL")),
        Peer::rust("rust-threading", "tcp", "threading", 0),
        // One worker per connection, because a worker serves its connection until it closes.
        Peer::rust("rust-thread-pool", "tcp", "thread-pool", connections),
        Peer::rust("rust-coroutines", "tcp", "coroutines", cores),
        Peer::new("std-threads", Program::Rust("std_server"), &[]),
        Peer::new("mio", Program::Rust("mio_server"), &[]),
        Peer::new("tokio-current", Program::Rust("tokio_server"), &["0"]),
        Peer::new("tokio-multi", Program::Rust("tokio_server"), &[workers]),
        Peer::new("may", Program::Rust("may_server"), &[workers]),
        Peer::new("go", Program::Go, &[]),
        python("python-threading", "ThreadingTCPServer"),
        event_loop("asyncio", "asyncio", "asyncio"),
        event_loop("uvloop", "uvloop", "uvloop"),
        event_loop("gevent", "gevent", "gevent"),
        event_loop("gevent-socketserver", "gevent-socketserver", "gevent"),
    ];
    peers.retain(|peer| connections <= MOST_THREADS || !THREADED.contains(&peer.name));
    peers
}

fn python(name: &'static str, class: &str) -> Peer {
    let program = Program::Python("echo.py", "socketserver");
    Peer::new(name, program, &[class])
}

fn event_loop(name: &'static str, kind: &str, module: &'static str) -> Peer {
    Peer::new(name, Program::Python("event_loop.py", module), &[kind])
}
