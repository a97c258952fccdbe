//! The second `TCPServer` example of Python's `socketserver` documentation, which reads a line as
//! one reads it from a file. Python's needs another base class for that, `StreamRequestHandler`;
//! here every request can do it.
//!
//! In one terminal:
//!
//! ```text
//! $ cargo run --example tcp_server_stream
//! ```
//!
//! and in another one:
//!
//! ```text
//! $ cargo run --example tcp_client python is nice
//! Sent:     python is nice
//! Received: PYTHON IS NICE
//! ```
//!
//! The server has printed
//!
//! ```text
//! 127.0.0.1 wrote:
//! python is nice
//! ```
//!
//! and goes on until Ctrl-C. Another address than `localhost:9999` can be given as an argument.
//! Python: `examples/python/tcp_server_stream.py`.

mod common;

use common::{address, announce};
use socketserver::prelude::*;

struct MyTcpHandler;

impl RequestHandler<TcpRequest> for MyTcpHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        // The limit keeps a client that never ends its line from filling the memory.
        let line = request.readline(10_000)?;
        let data = line.trim_ascii_end();
        println!("{} wrote:", request.client_address().ip());
        println!("{}", str::from_utf8(data)?);
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
