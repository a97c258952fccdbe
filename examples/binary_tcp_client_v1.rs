//! The first client of the tutorial: it sends one line and prints the answer.
//!
//! With `binary_tcp_server_v1` running in another terminal:
//!
//! ```text
//! $ cargo run --example binary_tcp_client_v1
//! >>:hello
//! [hello] Sun Jun 20 23:21:05 1993
//! ```
//!
//! Another address than `localhost:6969` can be given as an argument. Python:
//! `examples/python/binary_tcp_client_v1.py`.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use common::{address, ask};
use socketserver::Result;

fn main() -> Result {
    let mut server = TcpStream::connect(address("localhost:6969"))?;
    let line = ask(">>:")?;
    server.write_all(&line)?;
    // That was all: without this, the server would wait for ever for an empty line.
    server.shutdown(Shutdown::Write)?;

    let mut answer = [0; 1024];
    let size = server.read(&mut answer)?;
    println!("{}", String::from_utf8_lossy(&answer[..size]));
    Ok(())
}
