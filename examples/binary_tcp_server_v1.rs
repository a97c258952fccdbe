//! The first server of the tutorial. It serves one client, which sends one message, and then ends.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example binary_tcp_server_v1
//! listening on 127.0.0.1:6969
//! waiting connection...
//! ```
//!
//! Start the client in another terminal:
//!
//! ```text
//! $ cargo run --example binary_tcp_client_v1
//! >>:i am binary
//! Clinet recive data: [i am binary] Mon Dec  9 17:06:41 2019
//! ```
//!
//! The answer is the message in brackets, and the time. The server prints the message the way Python
//! prints bytes, and ends:
//!
//! ```text
//! Server recive data: b'i am binary'
//! ```
//!
//! Standard output has exactly the lines of the original tutorial, with its spelling ("recive",
//! "Clinet"). The line `listening on …` is not part of them, so it goes to standard error.
//!
//! An argument replaces the address `localhost:6969`, in both programs. Python twin:
//! `examples/python/binary_tcp_server_v1.py`.

mod common;

use std::io;

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

struct Answer;

impl RequestHandler<TcpRequest> for Answer {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let data = request.recv(1024)?;
        let _ = writeln!(io::stdout(), "Server recive data: {}", repr(&data));
        request.send_all(with_ctime(&data))?;
        Ok(())
    }
}

fn main() -> Result {
    let server = TcpServer::bind(address("localhost:6969"), || Answer)?;
    eprintln!("listening on {}", server.server_address());
    println!("waiting connection...");
    server.handle_request()?;
    Ok(())
}
