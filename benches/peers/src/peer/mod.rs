//! A measured server: its name in the tables, and the command that starts it.

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
    /// Path of an executable that `build.rs` compiled.
    C(&'static str),
    /// Name of an executable in `src/bin/`.
    Rust(&'static str),
    /// The executable of `go/main.go`.
    Go,
    /// Name of a script in `python/`, and of a module that it imports.
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

    /// A peer that runs one of this crate's strategies.
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

    /// The program or module that this peer needs and this machine does not have.
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
