//! Which servers a workload compares. The first of each list is the reference.

use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::echo::{StrategyName, Transport};
use crate::workload::{Shape, Workload};

pub struct Peer {
    pub name: &'static str,
    program: Program,
}

enum Program {
    /// The path of an executable that `build.rs` made, and its arguments.
    C(&'static str, &'static [&'static str]),
    /// This program again, as `peers echo`: transport, strategy, workers.
    Rust(Transport, StrategyName, u16),
    /// The class of `python/echo.py`.
    Python(&'static str),
}

impl Peer {
    const fn c(name: &'static str, path: &'static str, arguments: &'static [&'static str]) -> Self {
        Self {
            name,
            program: Program::C(path, arguments),
        }
    }

    const fn rust(transport: Transport, strategy: StrategyName, workers: u16) -> Self {
        Self {
            name: match strategy {
                StrategyName::Forking => "rust-forking",
                StrategyName::Sequential => "rust-sequential",
                StrategyName::Threading => "rust-threading",
                StrategyName::ThreadPool => "rust-thread-pool",
            },
            program: Program::Rust(transport, strategy, workers),
        }
    }

    const fn python(name: &'static str, class: &'static str) -> Self {
        Self {
            name,
            program: Program::Python(class),
        }
    }

    pub fn is_python(&self) -> bool {
        matches!(self.program, Program::Python(_))
    }

    pub fn command(&self) -> Command {
        match self.program {
            Program::C(path, arguments) => {
                let mut command = Command::new(path);
                command.args(arguments);
                command
            }
            Program::Rust(transport, strategy, workers) => {
                // Not by its path: a build that replaces the file meanwhile must not change or
                // break what is measured.
                let mut command = Command::new("/proc/self/exe");
                command
                    .args(["echo", "--transport", &value_name(transport)])
                    .args(["--strategy", &value_name(strategy)])
                    .args(["--workers", &workers.to_string()]);
                command
            }
            Program::Python(class) => {
                let mut command = Command::new("python3");
                let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/echo.py");
                command.args([script, class]);
                command
            }
        }
    }
}

/// The word that the command line understands as this value.
fn value_name(value: impl ValueEnum) -> String {
    let possible = value.to_possible_value();
    possible.map_or_else(String::new, |possible| possible.get_name().to_owned())
}

const C_FORK: Peer = Peer::c("c-fork", env!("PEER_TCP_FORK"), &[]);
const C_THREADS: Peer = Peer::c("c-threads", env!("PEER_TCP_THREADS"), &[]);
const C_EPOLL: Peer = Peer::c("c-epoll", env!("PEER_TCP_EPOLL"), &[]);
const C_LOOP: Peer = Peer::c("c-loop", env!("PEER_UDP_LOOP"), &[]);
const C_MMSG: Peer = Peer::c("c-mmsg", env!("PEER_UDP_MMSG"), &[]);
const C_4_THREADS: Peer = Peer::c("c-4-threads", env!("PEER_UDP_THREADS"), &["4"]);
const PYTHON_TCP: Peer = Peer::python("python-threading", "ThreadingTCPServer");
const PYTHON_FORKING_TCP: Peer = Peer::python("python-forking", "ForkingTCPServer");
const PYTHON_UDP: Peer = Peer::python("python-sequential", "UDPServer");
const PYTHON_THREADING_UDP: Peer = Peer::python("python-threading", "ThreadingUDPServer");

pub fn peers(workload: Workload, shape: &Shape) -> Vec<Peer> {
    use StrategyName::{Forking, Sequential, ThreadPool, Threading};
    use Transport::{Tcp, Udp};

    match workload {
        Workload::Messages => vec![
            C_THREADS,
            C_EPOLL,
            Peer::rust(Tcp, Threading, 0),
            // A worker serves its connection to the end: fewer would leave some unserved.
            Peer::rust(Tcp, ThreadPool, shape.connections),
            PYTHON_TCP,
        ],
        Workload::Churn => vec![
            C_THREADS,
            C_EPOLL,
            Peer::rust(Tcp, Threading, 0),
            Peer::rust(Tcp, ThreadPool, shape.slots),
            Peer::rust(Tcp, Sequential, 0),
            PYTHON_TCP,
        ],
        Workload::Fork => vec![C_FORK, Peer::rust(Tcp, Forking, 0), PYTHON_FORKING_TCP],
        Workload::Udp | Workload::UdpPingpong => vec![
            C_LOOP,
            C_MMSG,
            C_4_THREADS,
            Peer::rust(Udp, Sequential, 0),
            Peer::rust(Udp, ThreadPool, 4),
            PYTHON_UDP,
            PYTHON_THREADING_UDP,
        ],
    }
}

pub fn python_is_here() -> bool {
    Command::new("python3")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
