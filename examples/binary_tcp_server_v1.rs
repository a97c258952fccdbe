//! The first server of the tutorial: it serves one client, which sends one message, and is done.
//!
//! In one terminal:
//!
//! ```text
//! $ cargo run --example binary_tcp_server_v1
//! listening on 127.0.0.1:6969
//! ```
//!
//! and in another one:
//!
//! ```text
//! $ cargo run --example binary_tcp_client_v1
//! >>:hello
//! [hello] Sun Jun 20 23:21:05 1993
//! ```
//!
//! The client has its answer: the message in brackets, and the time. The server has printed what
//! it received, the way Python prints bytes, and has ended:
//!
//! ```text
//! Server recive data: b'hello'
//! ```
//!
//! ("recive" is misspelt in the script that this server follows, and kept.) Another address than
//! `localhost:6969` can be given as an argument, to both programs. Python:
//! `examples/python/binary_tcp_server_v1.py`.

mod common;

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

struct Answer;

impl RequestHandler<TcpRequest> for Answer {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let data = request.recv(1024)?;
        println!("Server recive data: {}", repr(&data));
        request.send_all(with_ctime(&data))?;
        Ok(())
    }
}

fn main() -> Result {
    let server = TcpServer::bind(address("localhost:6969"), || Answer)?;
    println!("listening on {}", server.server_address());
    server.handle_request()?;
    Ok(())
}
