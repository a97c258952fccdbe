//! The first client of the tutorial. It sends one line and prints the answer.
//!
//! Start `binary_tcp_server_v1` in one terminal and the client in another:
//!
//! ```text
//! $ cargo run --example binary_tcp_client_v1
//! >>:i am binary
//! Clinet recive data: [i am binary] Mon Dec  9 17:06:41 2019
//! ```
//!
//! The spelling ("Clinet recive") is that of the original tutorial. An argument replaces the address
//! `localhost:6969`. Python twin: `examples/python/binary_tcp_client_v1.py`.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use common::{address, ask};
use socketserver::Result;

fn main() -> Result {
    let mut server = TcpStream::connect(address("localhost:6969"))?;
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
