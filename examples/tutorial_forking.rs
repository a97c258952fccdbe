//! The server of the tutorial with a process for each client (`docs/tutorial`). It numbers the
//! messages, to show that each process has a counter of its own.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_forking
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start a client in two other terminals:
//!
//! ```text
//! $ cargo run -q --example binary_tcp_client_v2
//! >>:hello
//! Clinet recive data: 1: [hello] Sun Jun 20 23:21:05 1993 from process 4712
//! >>:
//! ```
//!
//! An argument replaces the address `localhost:6969`, in both programs. Python twin:
//! `examples/python/tutorial_forking.py`.

mod common;

use std::io;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use common::{address, ctime, repr};
use socketserver::prelude::*;

static MESSAGES: AtomicU32 = AtomicU32::new(0);

struct Conversation;

impl RequestHandler<TcpRequest> for Conversation {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let pid = process::id();
        loop {
            let data = request.recv(1024)?;
            if data.is_empty() {
                return Ok(());
            }
            let _ = writeln!(io::stdout(), "process {pid}: {}", repr(&data));
            let number = MESSAGES.fetch_add(1, Relaxed) + 1;
            let text = String::from_utf8_lossy(&data);
            write!(request, "{number}: [{text}] {} from process {pid}", ctime())?;
        }
    }
}

fn main() -> Result {
    let server = ForkingTcpServer::bind(address("localhost:6969"), || Conversation)?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    let number = MESSAGES.load(Relaxed);
    println!("process {}: {number} messages", process::id());
    Ok(())
}
