//! The server of the tutorial with coroutines, on one thread (`docs/tutorial.md`).
//!
//! In one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_coroutines
//! listening on 127.0.0.1:6969
//! ```
//!
//! and in as many others as you like, at the same time:
//!
//! ```text
//! $ cargo run -q --example binary_tcp_client_v2
//! >>:hello
//! [hello] Sun Jun 20 23:21:05 1993
//! >>:
//! ```
//!
//! Another address than `localhost:6969` can be given as an argument, to both programs. Python:
//! `examples/python/tutorial_coroutines.py`.

mod common;

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
            println!("{}: {}", thread.name().unwrap_or("?"), repr(&data));
            request.send_all(with_ctime(&data))?;
        }
    }
}

fn main() -> Result {
    let server = TcpServer::bind(address("localhost:6969"), || Conversation)?;
    let server = server.strategy(Coroutines::new().workers(1));
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
