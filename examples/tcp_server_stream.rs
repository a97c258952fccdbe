//! The second `TCPServer` example of Python's `socketserver` documentation. It reads a line from the
//! client as from a file. Python needs the base class `StreamRequestHandler` for that. In this crate
//! every request has these methods.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example tcp_server_stream
//! ```
//!
//! Start the client in another terminal:
//!
//! ```text
//! $ cargo run --example tcp_client python is nice
//! Sent:     python is nice
//! Received: PYTHON IS NICE
//! ```
//!
//! The server prints:
//!
//! ```text
//! 127.0.0.1 wrote:
//! b'python is nice'
//! ```
//!
//! It runs until Ctrl-C. An argument replaces the address `localhost:9999`. Python twin:
//! `examples/python/tcp_server_stream.py`.

mod common;

use std::io;

use common::{address, announce, repr};
use socketserver::prelude::*;

struct MyTcpHandler;

impl RequestHandler<TcpRequest> for MyTcpHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        // The limit protects the memory from a client that never ends its line.
        let line = request.readline(10_000)?;
        let data = line.trim_ascii_end();
        let _ = writeln!(io::stdout(), "{} wrote:", request.client_address().ip());
        let _ = writeln!(io::stdout(), "{}", repr(data));
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
