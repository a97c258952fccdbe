//! The server that greets, with the settings for clients that its author does not know (`docs/tutorial`). It
//! uses nothing from `examples/common`, so it works in any project.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_ready
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

use std::time::Duration;

use socketserver::prelude::*;

struct Greeting;

impl RequestHandler<TcpRequest> for Greeting {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        while request.wait_for_message()? {
            let line = request.readline(1000)?;
            let name = String::from_utf8_lossy(&line);
            writeln!(request, "hello, {}", name.trim())?;
        }
        Ok(())
    }
}

fn main() -> Result {
    let argument = std::env::args().nth(1);
    let address = argument.unwrap_or("localhost:6969".into());
    let server = ThreadingTcpServer::options()
        .first_byte_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(60))
        .timeout(Duration::from_secs(10))
        .request_timeout(Duration::from_secs(3600))
        .max_connections(200)
        .at_max_connections(Rejection::message("the server is busy\n"))
        .max_per_client(20)
        .linger(Duration::from_secs(2))
        .bind(address, || Greeting)?
        .grace_period(Duration::from_secs(10));
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    let handle = server.handle();
    let report = server.server_close();
    println!("force-closed: {}", report.force_closed.len());
    let stats = handle.stats();
    println!("served: {}, failed: {}", stats.completed, stats.failed);
    Ok(())
}
