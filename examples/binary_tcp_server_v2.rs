//! The second server of the tutorial. It serves one client after another until Ctrl-C. Each client may
//! send as many messages as it likes.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example binary_tcp_server_v2
//! listening on 127.0.0.1:6969
//! waiting connection...
//! ```
//!
//! Start the client in another terminal (an empty line ends it):
//!
//! ```text
//! $ cargo run --example binary_tcp_client_v2
//! >>:i am binary
//! Clinet recive data: [i am binary] Mon Dec  9 17:06:41 2019
//! >>:again
//! Clinet recive data: [again] Mon Dec  9 17:06:45 2019
//! >>:
//! ```
//!
//! The server now shows:
//!
//! ```text
//! waiting connection...
//! Server recive data: b'i am binary'
//! Server recive data: b'again'
//! clinet has broken the connection...
//! waiting connection...
//! ```
//!
//! Standard output has exactly the lines of the original tutorial, with its spelling ("recive",
//! "clinet"). The line `listening on …` is not part of them, so it goes to standard error.
//!
//! A second client gets no answer until the first client ends. `echo_server` shows servers that serve
//! several clients at the same time. An argument replaces the address `localhost:6969`, in both
//! programs. Python twin: `examples/python/binary_tcp_server_v2.py`.

mod common;

use std::io;

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

struct Conversation;

impl RequestHandler<TcpRequest> for Conversation {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        loop {
            let data = request.recv(1024)?;
            if data.is_empty() {
                let _ = writeln!(io::stdout(), "clinet has broken the connection...");
                return Ok(());
            }
            let _ = writeln!(io::stdout(), "Server recive data: {}", repr(&data));
            request.send_all(with_ctime(&data))?;
        }
    }

    /// Runs after `handle`, also when `handle` has failed. The server then waits for the next
    /// client, unless Ctrl-C was pressed.
    fn finish(&mut self, request: &mut TcpRequest) -> Result {
        if !request.server().is_shutting_down() {
            let _ = writeln!(io::stdout(), "waiting connection...");
        }
        Ok(())
    }
}

fn main() -> Result {
    let server = TcpServer::bind(address("localhost:6969"), || Conversation)?;
    server.shutdown_on_ctrl_c()?;
    eprintln!("listening on {}", server.server_address());
    println!("waiting connection...");
    server.serve_forever()?;
    Ok(())
}
