//! A server that greets: the last program of the tutorial (`docs/tutorial`), where the reader starts
//! a project of their own. It uses nothing from `examples/common`, so it works in any project.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_own
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start the client in another terminal:
//!
//! ```text
//! $ cargo run -q --example tcp_client localhost:6969 Ada
//! Sent:     Ada
//! Received: hello, Ada
//!
//! ```
//!
//! An argument replaces the address `localhost:6969`.

use socketserver::prelude::*;

struct Greeting;

impl RequestHandler<TcpRequest> for Greeting {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        while let Some(line) = request.next_line(1000)? {
            let name = String::from_utf8_lossy(&line);
            writeln!(request, "hello, {}", name.trim())?;
        }
        Ok(())
    }
}

fn main() -> Result {
    let argument = std::env::args().nth(1);
    let address = argument.unwrap_or("localhost:6969".into());
    let server = ThreadingTcpServer::bind(address, || Greeting)?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
