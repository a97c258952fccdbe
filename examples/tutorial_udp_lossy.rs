//! A datagram server that sends every second answer only (`docs/tutorial`). So a client sees what it would
//! see if the network had lost the others.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_udp_lossy
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start `tutorial_udp_retry` in another terminal. An argument replaces the address `localhost:6969`. Python
//! twin: `examples/python/tutorial_udp_lossy.py`.

mod common;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

static REQUESTS: AtomicU32 = AtomicU32::new(0);

struct Answer;

impl RequestHandler<UdpRequest> for Answer {
    fn handle(&mut self, request: &mut UdpRequest) -> Result {
        let data = request.packet();
        let _ = writeln!(io::stdout(), "executing {}", repr(data));
        let answer = with_ctime(data);
        let number = REQUESTS.fetch_add(1, Relaxed) + 1;
        if number % 2 == 1 {
            let _ = writeln!(io::stdout(), "the answer is lost");
        } else {
            request.send_all(&answer)?;
        }
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
