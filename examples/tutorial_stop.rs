//! The server of the tutorial and two ways to stop it (`docs/tutorial`): Ctrl-C, and a client that
//! sends `stop`.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_stop
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start the client in another terminal. An empty line ends it. The server waits for the client to end,
//! but at most five seconds:
//!
//! ```text
//! $ cargo run -q --example binary_tcp_client_v2
//! >>:stop
//! Clinet recive data: [stop] Sun Jun 20 23:21:05 1993
//! >>:
//! ```
//!
//! The server then prints a report and ends:
//!
//! ```text
//! the loop has ended
//! force-closed: 0, abandoned: 0
//! ```
//!
//! An argument replaces the address `localhost:6969`, in both programs. Python twin:
//! `examples/python/tutorial_stop.py`.

mod common;

use std::io;
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
            let _ = writeln!(io::stdout(), "received {}", repr(&data));
            if data == b"stop" {
                request.server().shutdown();
            }
            request.send_all(with_ctime(&data))?;
        }
    }
}

fn main() -> Result {
    let server = ThreadingTcpServer::bind(address("localhost:6969"), || Conversation)?;
    let server = server.grace_period(Duration::from_secs(5));
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    println!("the loop has ended");
    let report = server.server_close();
    println!(
        "force-closed: {}, abandoned: {}",
        report.force_closed.len(),
        report.abandoned.len()
    );
    Ok(())
}
