//! The second server of the tutorial: it serves one client after the other, each for as long as it
//! wants to talk, until Ctrl-C.
//!
//! In one terminal:
//!
//! ```text
//! $ cargo run --example binary_tcp_server_v2
//! listening on 127.0.0.1:6969
//! waiting connection...
//! ```
//!
//! and in another one (an empty line ends the client):
//!
//! ```text
//! $ cargo run --example binary_tcp_client_v2
//! >>:hello
//! [hello] Sun Jun 20 23:21:05 1993
//! >>:again
//! [again] Sun Jun 20 23:21:09 1993
//! >>:
//! ```
//!
//! The server has printed
//!
//! ```text
//! waiting connection...
//! Server recive data: b'hello'
//! Server recive data: b'again'
//! clinet has broken the connection...
//! waiting connection...
//! ```
//!
//! A second client that comes while the first one talks has to wait; `echo_server` shows servers
//! where it has not. Another address than `localhost:6969` can be given as an argument. Python:
//! `examples/python/binary_tcp_server_v2.py`.

mod common;

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

struct Conversation;

// "recive" and "clinet" are misspelt in the script that this server follows, and kept.
impl RequestHandler<TcpRequest> for Conversation {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        loop {
            let data = request.recv(1024)?;
            if data.is_empty() {
                println!("clinet has broken the connection...");
                return Ok(());
            }
            println!("Server recive data: {}", repr(&data));
            request.send_all(with_ctime(&data))?;
        }
    }

    /// Runs after `handle`, even if that failed: whatever became of this client, the server is
    /// about to wait for the next, unless Ctrl-C has come meanwhile.
    fn finish(&mut self, request: &mut TcpRequest) -> Result {
        if !request.server().is_shutting_down() {
            println!("waiting connection...");
        }
        Ok(())
    }
}

fn main() -> Result {
    let server = TcpServer::bind(address("localhost:6969"), || Conversation)?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    println!("waiting connection...");
    server.serve_forever()?;
    Ok(())
}
