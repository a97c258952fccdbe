//! A datagram client that sends its request again if no answer arrives in time (`docs/tutorial`).
//!
//! Start `tutorial_udp_lossy` in one terminal, and the client in another:
//!
//! ```text
//! $ cargo run -q --example tutorial_udp_retry localhost:6969 pay 10
//! attempt 1: no answer within 2 s
//! Received: [pay 10] Sun Jun 20 23:21:05 1993
//! ```
//!
//! Python twin: `examples/python/tutorial_udp_retry.py`.

mod common;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use socketserver::Result;

fn main() -> Result {
    let (address, words) = common::address_and_words("localhost:6969");
    let request = words.join(" ");
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // From here on the socket sends to this address only, and receives from it only.
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;

    let mut answer = [0; 65535];
    for attempt in 1..=3 {
        socket.send(request.as_bytes())?;
        match socket.recv(&mut answer) {
            Ok(size) => {
                println!("Received: {}", String::from_utf8_lossy(&answer[..size]));
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                println!("attempt {attempt}: no answer within 2 s");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err("no answer".into())
}
