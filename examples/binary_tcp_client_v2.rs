//! The second client of the tutorial. It sends one line after another and prints the answers. An empty
//! line or Ctrl-D ends it.
//!
//! Start `binary_tcp_server_v2` in one terminal and the client in another:
//!
//! ```text
//! $ cargo run --example binary_tcp_client_v2
//! >>:i am binary
//! Clinet recive data: [i am binary] Mon Dec  9 17:06:41 2019
//! >>:again
//! Clinet recive data: [again] Mon Dec  9 17:06:45 2019
//! >>:
//! ```
//!
//! The spelling ("Clinet recive") is that of the original tutorial. An argument replaces the address
//! `localhost:6969`. Python twin: `examples/python/binary_tcp_client_v2.py`.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{address, ask};
use socketserver::Result;

fn main() -> Result {
    let mut server = TcpStream::connect(address("localhost:6969"))?;
    loop {
        let line = ask(">>:")?;
        if line.is_empty() {
            return Ok(());
        }
        server.write_all(&line)?;

        let mut answer = [0; 1024];
        let size = server.read(&mut answer)?;
        if size == 0 {
            return Err("the server has closed the connection".into());
        }
        let answer = String::from_utf8_lossy(&answer[..size]);
        println!("Clinet recive data: {answer}");
    }
}
