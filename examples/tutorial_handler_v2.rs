//! The second server of the tutorial once more, in the shape that all others have from here on
//! (`docs/tutorial.md`): it serves one client after the other, until Ctrl-C.
//!
//! In one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_handler_v2
//! listening on 127.0.0.1:6969
//! ```
//!
//! and in two others, of which the second has to wait until the first has ended (by an empty line):
//!
//! ```text
//! $ cargo run -q --example binary_tcp_client_v2
//! >>:hello
//! [hello] Sun Jun 20 23:21:05 1993
//! >>:
//! ```
//!
//! Another address than `localhost:6969` can be given as an argument, to both programs. Python:
//! `examples/python/tutorial_handler_v2.py`.

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
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
