//! The TCP client of Python's `socketserver` documentation: it sends its arguments as one line and
//! prints the answer.
//!
//! With `tcp_server` or `tcp_server_stream` running in another terminal:
//!
//! ```text
//! $ cargo run --example tcp_client hello world with TCP
//! Sent:     hello world with TCP
//! Received: HELLO WORLD WITH TCP
//! ```
//!
//! If the first argument has a colon, it is the address, in place of `localhost:9999`. Python:
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
