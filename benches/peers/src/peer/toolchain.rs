//! Builds the executables that neither `build.rs` nor `cargo run` builds.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Result;

pub const GO_SERVER: &str = "go_server";

pub fn beside_this_program(name: &str) -> PathBuf {
    let runner = env::current_exe().expect("this program has a path");
    runner.with_file_name(name)
}

/// Builds the Rust servers, because `cargo run` builds the runner only, and the Go server if Go is
/// installed.
pub fn build_servers() -> Result {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--bins", "--manifest-path", manifest]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    succeed(&mut cargo)?;

    if runs("go", &["version"]) {
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(beside_this_program(GO_SERVER));
        go.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/go"));
        succeed(&mut go)?;
    }
    Ok(())
}

fn succeed(command: &mut Command) -> Result {
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {status}").into())
}

pub fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
