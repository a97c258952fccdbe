//! The `UDPServer` example of Python's `socketserver` documentation. It prints each datagram and sends it
//! back in capitals.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example udp_server
//! ```
//!
//! Start the client in another terminal:
//!
//! ```text
//! $ cargo run --example udp_client hello world with UDP
//! Sent:     hello world with UDP
//! Received: HELLO WORLD WITH UDP
//! ```
//!
//! The server prints:
//!
//! ```text
//! 127.0.0.1 wrote:
//! b'hello world with UDP'
//! ```
//!
//! It runs until Ctrl-C. An argument replaces the address `localhost:9999`. Python twin:
//! `examples/python/udp_server.py`.

mod common;

use std::io;

use common::{address, announce, repr};
use socketserver::prelude::*;

struct MyUdpHandler;

impl RequestHandler<UdpRequest> for MyUdpHandler {
    fn handle(&mut self, request: &mut UdpRequest) -> Result {
        let data = request.packet().trim_ascii();
        let _ = writeln!(io::stdout(), "{} wrote:", request.client_address().ip());
        let _ = writeln!(io::stdout(), "{}", repr(data));
        request.send_to(&data.to_ascii_uppercase(), request.client_address())?;
        Ok(())
    }
}

fn main() -> Result {
    let address = address("localhost:9999");
    let server = UdpServer::bind(&address, || MyUdpHandler)?;
    announce(&address, server.server_address());
    server.serve_forever()?;
    Ok(())
}
