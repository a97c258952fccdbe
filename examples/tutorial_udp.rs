//! The server of the tutorial with datagrams instead of connections (`docs/tutorial`).
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_udp
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start the client in another terminal:
//!
//! ```text
//! $ cargo run -q --example udp_client localhost:6969 hello world
//! Sent:     hello world
//! Received: [hello world] Sun Jun 20 23:21:05 1993
//! ```
//!
//! An argument replaces the address `localhost:6969`, in both programs. Python twin:
//! `examples/python/tutorial_udp.py`.

mod common;

use std::io;

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

struct Answer;

impl RequestHandler<UdpRequest> for Answer {
    fn handle(&mut self, request: &mut UdpRequest) -> Result {
        let data = request.packet();
        let _ = writeln!(io::stdout(), "{}: {}", request.client_address(), repr(data));
        let answer = with_ctime(data.trim_ascii());
        request.send_all(&answer)?;
        Ok(())
    }
}

fn main() -> Result {
    let server = UdpServer::bind(address("localhost:6969"), || Answer)?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
