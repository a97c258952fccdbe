// The program of `examples/tutorial_forking.rs`.

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
