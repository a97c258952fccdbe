//! The UDP client of Python's `socketserver` documentation: it sends its arguments as one datagram
//! and prints the answer.
//!
//! With `udp_server` running in another terminal:
//!
//! ```text
//! $ cargo run --example udp_client hello world with UDP
//! Sent:     hello world with UDP
//! Received: HELLO WORLD WITH UDP
//! ```
//!
//! If the datagram or the answer gets lost, it waits for ever; `udp_echo_client` shows what to do
//! about that. If the first argument has a colon, it is the address, in place of `localhost:9999`.
//! Python: `examples/python/udp_client.py`.

mod common;

use std::net::UdpSocket;

use socketserver::Result;

fn main() -> Result {
    let (address, words) = common::address_and_words("localhost:9999");
    let data = words.join(" ");

    // No connection is made, in spite of the name: `connect` fills in the address once for all.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;
    socket.send(format!("{data}\n").as_bytes())?;
    let mut received = [0; 1024];
    let size = socket.recv(&mut received)?;

    println!("Sent:     {data}");
    println!("Received: {}", str::from_utf8(&received[..size])?);
    Ok(())
}
