//! The second client of the tutorial: it sends line after line and prints the answers, until an
//! empty line (or Ctrl-D).
//!
//! With `binary_tcp_server_v2` running in another terminal:
//!
//! ```text
//! $ cargo run --example binary_tcp_client_v2
//! >>:hello
//! [hello] Sun Jun 20 23:21:05 1993
//! >>:again
//! [again] Sun Jun 20 23:21:09 1993
//! >>:
//! ```
//!
//! Another address than `localhost:6969` can be given as an argument. Python:
//! `examples/python/binary_tcp_client_v2.py`.

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
        println!("{}", String::from_utf8_lossy(&answer[..size]));
    }
}
