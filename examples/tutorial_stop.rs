//! The server of the tutorial, and the ways to stop it (`docs/tutorial.md`): Ctrl-C, and a client
//! that says `stop`.
//!
//! In one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_stop
//! listening on 127.0.0.1:6969
//! ```
//!
//! and in another one (an empty line ends the client; the server waits for that, but not longer than
//! five seconds):
//!
//! ```text
//! $ cargo run -q --example binary_tcp_client_v2
//! >>:stop
//! [stop] Sun Jun 20 23:21:05 1993
//! >>:
//! ```
//!
//! The server ends with a report:
//!
//! ```text
//! the loop has ended
//! cut off: 0, abandoned: 0
//! ```
//!
//! Another address than `localhost:6969` can be given as an argument, to both programs. Python:
//! `examples/python/tutorial_stop.py`.

mod common;

use std::time::Duration;

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

struct Conversation;

impl RequestHandler<TcpRequest> for Conversation {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        loop {
            let data = request.recv(1024)?;
            if data.is_empty() {
                return Ok(());
            }
            println!("received {}", repr(&data));
            if data == b"stop" {
                request.server().shutdown();
            }
            request.send_all(with_ctime(&data))?;
        }
    }
}

fn main() -> Result {
    let server = ThreadingTcpServer::bind(address("localhost:6969"), || Conversation)?;
    let server = server.grace(Duration::from_secs(5));
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    println!("the loop has ended");
    let report = server.server_close();
    println!(
        "cut off: {}, abandoned: {}",
        report.interrupted.len(),
        report.abandoned.len()
    );
    Ok(())
}
