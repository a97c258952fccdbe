//! Which servers a workload compares. The first of each list is the reference.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Result;
use crate::workload::{Shape, Workload};

pub struct Peer {
    pub name: &'static str,
    program: Program,
}

enum Program {
    /// The path of an executable that `build.rs` made, and its arguments.
    C(&'static str, &'static [&'static str]),
    /// `src/bin/echo_server.rs`: transport, strategy, workers.
    Rust(&'static str, &'static str, u16),
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

    const fn rust(
        name: &'static str,
        transport: &'static str,
        strategy: &'static str,
        workers: u16,
    ) -> Self {
        Self {
            name,
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
                let mut command = Command::new(echo_server());
                command.args([transport, strategy, &workers.to_string()]);
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

/// The echo server of this crate: beside this program.
fn echo_server() -> PathBuf {
    let runner = env::current_exe().expect("this program has a path");
    runner.with_file_name("echo_server")
}

/// Has cargo build the echo server: `cargo run` builds the runner only.
pub fn build_echo_server() -> Result {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--bin", "echo_server"]);
    cargo.args(["--manifest-path", manifest]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    match cargo.status()?.success() {
        true => Ok(()),
        false => Err("the echo server does not build".into()),
    }
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
    let threading = Peer::rust("rust-threading", "tcp", "threading", 0);
    let forking = Peer::rust("rust-forking", "tcp", "forking", 0);
    let pool =
        |transport, workers| Peer::rust("rust-thread-pool", transport, "thread-pool", workers);
    let sequential = |transport| Peer::rust("rust-sequential", transport, "sequential", 0);

    match workload {
        Workload::Messages => vec![
            C_THREADS,
            C_EPOLL,
            threading,
            Peer::rust("rust-coroutines", "tcp", "coroutines", 1),
            // A worker serves its connection to the end: fewer would leave some unserved.
            pool("tcp", shape.connections),
            PYTHON_TCP,
        ],
        Workload::Churn => vec![
            C_THREADS,
            C_EPOLL,
            threading,
            Peer::rust("rust-coroutines", "tcp", "coroutines", 1),
            pool("tcp", shape.slots),
            sequential("tcp"),
            PYTHON_TCP,
        ],
        Workload::Fork => vec![C_FORK, forking, PYTHON_FORKING_TCP],
        Workload::Udp | Workload::UdpPingpong => vec![
            C_LOOP,
            C_MMSG,
            C_4_THREADS,
            sequential("udp"),
            pool("udp", 4),
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
