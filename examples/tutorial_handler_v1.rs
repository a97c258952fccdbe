//! The first server of the tutorial as a request handler (`docs/tutorial`). It serves one client,
//! which sends one message, and then ends. All later servers have this form.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_handler_v1
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start the client in another terminal:
//!
//! ```text
//! $ cargo run -q --example binary_tcp_client_v1
//! >>:hello
//! Clinet recive data: [hello] Sun Jun 20 23:21:05 1993
//! ```
//!
//! An argument replaces the address `localhost:6969`, in both programs. Python twin:
//! `examples/python/tutorial_handler_v1.py`.

mod common;

use std::io;
use std::thread;

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

struct Answer;

impl RequestHandler<TcpRequest> for Answer {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let thread = thread::current();
        let data = request.recv(1024)?;
        let name = thread.name().unwrap_or("?");
        let _ = writeln!(io::stdout(), "{name}: {}", repr(&data));
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
