//! The TCP client of Python's `socketserver` documentation. It sends its arguments as one line and
//! prints the answer.
//!
//! Start `tcp_server` or `tcp_server_stream` in one terminal and the client in another:
//!
//! ```text
//! $ cargo run --example tcp_client hello world with TCP
//! Sent:     hello world with TCP
//! Received: HELLO WORLD WITH TCP
//! ```
//!
//! The first argument replaces the address `localhost:9999` if it has a colon. Python twin:
//! `examples/python/tcp_client.py`.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use socketserver::Result;

fn main() -> Result {
    let (address, words) = common::address_and_words("localhost:9999");
    let data = words.join(" ");

    let mut server = TcpStream::connect(address)?;
    server.write_all(data.as_bytes())?;
    server.write_all(b"\n")?;
    let mut received = [0; 1024];
    let size = server.read(&mut received)?;

    println!("Sent:     {data}");
    println!("Received: {}", str::from_utf8(&received[..size])?);
    Ok(())
}
