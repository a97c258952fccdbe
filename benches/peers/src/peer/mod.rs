//! A server that is measured: its name in the tables, and how to start it.

use std::process::Command;

pub mod catalogue;
pub mod toolchain;

#[derive(Clone)]
pub struct Peer {
    pub name: &'static str,
    program: Program,
    arguments: Vec<String>,
}

#[derive(Clone, Copy)]
enum Program {
    /// The path of an executable that `build.rs` made.
    C(&'static str),
    /// An executable of `src/bin/`.
    Rust(&'static str),
    /// `go/main.go`.
    Go,
    /// A script of `python/`, and a module that it needs.
    Python(&'static str, &'static str),
}

impl Peer {
    fn new(name: &'static str, program: Program, arguments: &[&str]) -> Self {
        Self {
            name,
            program,
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
        }
    }

    fn c(name: &'static str, path: &'static str) -> Self {
        Self::new(name, Program::C(path), &[])
    }

    /// One of this crate's strategies.
    fn rust(name: &'static str, transport: &str, strategy: &str, workers: u16) -> Self {
        let arguments = [transport, strategy, &workers.to_string()];
        Self::new(name, Program::Rust("echo_server"), &arguments)
    }

    pub fn command(&self) -> Command {
        let mut command = match self.program {
            Program::C(path) => Command::new(path),
            Program::Rust(name) => Command::new(toolchain::beside_this_program(name)),
            Program::Go => Command::new(toolchain::beside_this_program(toolchain::GO_SERVER)),
            Program::Python(script, _) => {
                let mut command = Command::new("python3");
                command.arg(format!("{}/python/{script}", env!("CARGO_MANIFEST_DIR")));
                command
            }
        };
        command.args(&self.arguments);
        command
    }

    /// What this peer needs and this machine has not.
    pub fn missing(&self) -> Option<String> {
        match self.program {
            Program::C(_) | Program::Rust(_) => None,
            Program::Go => (!toolchain::runs("go", &["version"])).then(|| "go".to_owned()),
            Program::Python(_, module) => {
                let import = format!("import {module}");
                (!toolchain::runs("python3", &["-c", &import]))
                    .then(|| format!("python3 with {module}"))
            }
        }
    }
}
