//! The client of the servers on a Unix socket (`docs/tutorial`).
//!
//! Start `tutorial_unix_v1` in one terminal, and the client in another:
//!
//! ```text
//! $ cargo run -q --example tutorial_unix_client
//! >>:hello
//! Clinet recive data: [hello] Sun Jun 20 23:21:05 1993
//! ```
//!
//! An argument replaces the path `tutorial.sock`. Python twin: `examples/python/tutorial_unix_client.py`.

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use common::{address, ask};
use socketserver::Result;

fn main() -> Result {
    let mut server = UnixStream::connect(address("tutorial.sock"))?;
    let line = ask(">>:")?;
    server.write_all(&line)?;
    // Marks the end of what the client sends. An empty line sends no bytes at all, and without this
    // mark the server would wait forever.
    server.shutdown(Shutdown::Write)?;

    let mut answer = [0; 1024];
    let size = server.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..size]);
    println!("Clinet recive data: {answer}");
    Ok(())
}
