//! The server of the tutorial with a thread for each client (`docs/tutorial`).
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_threads
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start a client in two other terminals. Both are served at the same time:
//!
//! ```text
//! $ cargo run -q --example binary_tcp_client_v2
//! >>:hello
//! Clinet recive data: [hello] Sun Jun 20 23:21:05 1993
//! >>:
//! ```
//!
//! An argument replaces the address `localhost:6969`, in both programs. Python twin:
//! `examples/python/tutorial_threads.py`.

mod common;

use std::io;
use std::thread;

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

struct Conversation;

impl RequestHandler<TcpRequest> for Conversation {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let thread = thread::current();
        loop {
            let data = request.recv(1024)?;
            if data.is_empty() {
                return Ok(());
            }
            let name = thread.name().unwrap_or("?");
            let _ = writeln!(io::stdout(), "{name}: {}", repr(&data));
            request.send_all(with_ctime(&data))?;
        }
    }
}

fn main() -> Result {
    let server = ThreadingTcpServer::bind(address("localhost:6969"), || Conversation)?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
