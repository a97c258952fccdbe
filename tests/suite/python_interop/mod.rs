//! Python programs and programs of this crate communicate: Python clients with servers of this crate, and
//! clients of this crate with Python's servers. Each example behaves like its Python original.
//!
//! Without `python3` the tests report that and pass, except if the variable `CI` is set.

mod originals;
mod python_clients;
mod python_servers;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;

use Language::{Python, Rust};
use nix::sys::signal::Signal;
use socketserver::prelude::*;

use crate::common;
use crate::docs::source_of;
use crate::support::net::{TempDir, own_loopback};
use crate::support::process::{Program, python_is_there};
use crate::support::transcript::{
    announces_on_stderr, hide_ctime, is_run_by_the_tutorial, parse_ctime,
};

/// Returns `size` bytes with all values.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n ^ (n >> 8)) as u8).collect()
}

struct Echo;

impl<R: Request> RequestHandler<R> for Echo {
    fn handle(&mut self, request: &mut R) -> Result {
        loop {
            let data = request.recv(64 * 1024)?;
            if data.is_empty() {
                return Ok(());
            }
            request.send_all(&data)?;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    Rust,
}

impl Language {
    fn start(self, name: &str, arguments: &[String]) -> Program {
        match self {
            Python => Program::python(&format!("examples/python/{name}.py"), arguments),
            Rust => Program::example(name, arguments),
        }
    }
}
