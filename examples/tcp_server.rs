//! The `TCPServer` example of Python's `socketserver` documentation: it prints what a client
//! sends, up to the end of the line, and sends it back in capitals.
//!
//! In one terminal:
//!
//! ```text
//! $ cargo run --example tcp_server
//! ```
//!
//! and in another one:
//!
//! ```text
//! $ cargo run --example tcp_client hello world with TCP
//! Sent:     hello world with TCP
//! Received: HELLO WORLD WITH TCP
//! ```
//!
//! The server has printed (with the line end that the client sent)
//!
//! ```text
//! Received from 127.0.0.1:
//! hello world with TCP
//!
//! ```
//!
//! and goes on until Ctrl-C. `tcp_server_stream` does the same with less code. Another address
//! than `localhost:9999` can be given as an argument. Python: `examples/python/tcp_server.py`.

mod common;

use common::{address, announce};
use socketserver::prelude::*;

/// One is made for each client, so what it keeps in fields would belong to that client alone.
struct MyTcpHandler;

impl RequestHandler<TcpRequest> for MyTcpHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        // One `recv` is not one message: a line may come in pieces. An empty piece is the end.
        let mut data = Vec::new();
        while !data.contains(&b'\n') && data.len() < 10_000 {
            let piece = request.recv(2000)?;
            if piece.is_empty() {
                break;
            }
            data.extend(piece);
        }
        println!("Received from {}:", request.client_address().ip());
        println!("{}", str::from_utf8(&data)?);
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
