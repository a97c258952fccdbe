//! A chat room: what one member writes is sent to all others (`docs/tutorial`).
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_chat_v1
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start `tutorial_chat_client` in several other terminals. An argument replaces the address
//! `localhost:6969`. Python twin: `examples/python/tutorial_chat_v1.py`.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use common::address;
use socketserver::prelude::*;

#[derive(Default)]
struct Room {
    members: Mutex<BTreeMap<String, Sender>>,
}

impl Room {
    /// Adds a member. Returns `false` if the name is in use.
    fn join(&self, name: &str, client: Sender) -> bool {
        let mut members = self.members.lock().unwrap();
        if members.contains_key(name) {
            return false;
        }
        members.insert(name.to_owned(), client);
        true
    }

    fn leave(&self, name: &str) {
        self.members.lock().unwrap().remove(name);
    }

    /// Sends a line to all members except one.
    fn tell_others(&self, name: &str, line: &str) {
        let mut others = self.members.lock().unwrap().clone();
        others.remove(name);
        for other in others.values() {
            let _ = other.send_all(line);
        }
    }
}

impl Service<TcpRequest> for Room {
    type Handler = Member;

    fn request_handler(self: &Arc<Self>) -> Member {
        Member {
            room: Arc::clone(self),
            name: None,
        }
    }
}

struct Member {
    room: Arc<Room>,
    /// Set when the client has joined.
    name: Option<String>,
}

impl RequestHandler<TcpRequest> for Member {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        request.send_all("your name?\n")?;
        let Some(name) = request.next_text_line(100)? else {
            return Ok(());
        };
        if !self.room.join(&name, request.sender()) {
            request.send_all("this name is in use\n")?;
            return Ok(());
        }
        self.name = Some(name.clone());
        writeln!(request, "hello {name}")?;
        self.room.tell_others(&name, &format!("* {name} joins\n"));
        while let Some(text) = request.next_text_line(1000)? {
            self.room.tell_others(&name, &format!("{name}: {text}\n"));
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut TcpRequest) -> Result {
        if let Some(name) = &self.name {
            self.room.leave(name);
            self.room.tell_others(name, &format!("* {name} leaves\n"));
        }
        Ok(())
    }
}

fn main() -> Result {
    let server = ThreadingTcpServer::bind(address("localhost:6969"), Room::default())?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
