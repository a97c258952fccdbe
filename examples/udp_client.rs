//! The UDP client of Python's `socketserver` documentation. It sends its arguments as one datagram and
//! prints the answer.
//!
//! Start `udp_server` in one terminal and the client in another:
//!
//! ```text
//! $ cargo run --example udp_client hello world with UDP
//! Sent:     hello world with UDP
//! Received: HELLO WORLD WITH UDP
//! ```
//!
//! It waits forever if the datagram or the answer gets lost. `udp_echo_client` waits with a timeout. The
//! first argument replaces the address `localhost:9999` if it has a colon. Python twin:
//! `examples/python/udp_client.py`.

mod common;

use std::net::UdpSocket;

use socketserver::Result;

fn main() -> Result {
    let (address, words) = common::address_and_words("localhost:9999");
    let data = words.join(" ");

    // UDP has no connections. `connect` only sets the address for all later calls.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;
    socket.send(format!("{data}\n").as_bytes())?;
    let mut received = [0; 1024];
    let size = socket.recv(&mut received)?;

    println!("Sent:     {data}");
    println!("Received: {}", str::from_utf8(&received[..size])?);
    Ok(())
}
