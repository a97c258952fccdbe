//! The `TCPServer` example of Python's `socketserver` documentation. It prints the line that a client
//! sends, and sends it back in capitals.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example tcp_server
//! ```
//!
//! Start the client in another terminal:
//!
//! ```text
//! $ cargo run --example tcp_client hello world with TCP
//! Sent:     hello world with TCP
//! Received: HELLO WORLD WITH TCP
//!
//! ```
//!
//! The server prints the line as bytes, so that a client cannot send commands to the terminal:
//!
//! ```text
//! Received from 127.0.0.1:
//! b'hello world with TCP\n'
//! ```
//!
//! It runs until Ctrl-C. `tcp_server_stream` does the same with less code. An argument replaces the
//! address `localhost:9999`. Python twin: `examples/python/tcp_server.py`.

mod common;

use std::io;

use common::{address, announce, repr};
use socketserver::prelude::*;

/// The server makes one handler for each client, so fields would belong to that client alone.
struct MyTcpHandler;

impl RequestHandler<TcpRequest> for MyTcpHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        // One `recv` is not one message, because a line may arrive in pieces. An empty piece means
        // that the client has sent everything.
        let mut data = Vec::new();
        while !data.contains(&b'\n') && data.len() < 10_000 {
            let piece = request.recv(2000)?;
            if piece.is_empty() {
                break;
            }
            data.extend(piece);
        }
        let client = request.client_address().ip();
        let _ = writeln!(io::stdout(), "Received from {client}:");
        let _ = writeln!(io::stdout(), "{}", repr(&data));
        request.send_all(data.to_ascii_uppercase())?;
        Ok(())
    }
}

fn main() -> Result {
    let address = address("localhost:9999");
    let server = TcpServer::bind(&address, || MyTcpHandler)?;
    announce(&address, server.server_address());
    server.serve_forever()?;
    Ok(())
}
