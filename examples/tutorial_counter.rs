//! The server of the tutorial with state that all clients share (`docs/tutorial`). It numbers the
//! messages of all clients.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_counter
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start a client in two other terminals:
//!
//! ```text
//! $ cargo run -q --example binary_tcp_client_v2
//! >>:hello
//! Clinet recive data: 1: [hello] Sun Jun 20 23:21:05 1993
//! >>:
//! ```
//!
//! An argument replaces the address `localhost:6969`, in both programs. Python twin:
//! `examples/python/tutorial_counter.py`.

mod common;

use std::sync::{Arc, Mutex};

use common::{address, ctime};
use socketserver::prelude::*;

#[derive(Default)]
struct Counter {
    messages: Mutex<u32>,
}

impl Service<TcpRequest> for Counter {
    type Handler = Conversation;

    fn request_handler(self: &Arc<Self>) -> Conversation {
        Conversation {
            server: Arc::clone(self),
        }
    }
}

struct Conversation {
    server: Arc<Counter>,
}

impl RequestHandler<TcpRequest> for Conversation {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        loop {
            let data = request.recv(1024)?;
            if data.is_empty() {
                return Ok(());
            }
            let number = {
                let mut messages = self.server.messages.lock().unwrap();
                *messages += 1;
                *messages
            };
            let text = String::from_utf8_lossy(&data);
            write!(request, "{number}: [{text}] {}", ctime())?;
        }
    }
}

fn main() -> Result {
    let server = ThreadingTcpServer::bind(address("localhost:6969"), Counter::default())?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    println!("messages: {}", server.service().messages.lock().unwrap());
    Ok(())
}
