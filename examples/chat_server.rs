//! A chat for thousands of clients. Each client has a coroutine, which needs a few kilobytes while it
//! waits. All coroutines share as many threads as there are processors.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example chat_server
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start a client in as many other terminals as you like:
//!
//! ```text
//! $ nc localhost 6969
//! your name?
//! Ada
//! hello Ada, members: 2; /who lists them, /quit leaves
//! Bob: are you there?
//! yes
//! /who
//! Ada, Bob
//! /quit
//! $
//! ```
//!
//! Ctrl-C stops the server. It sends `* the server stops` to all members and ends with:
//!
//! ```text
//! served 2 clients, 0 failed
//! ```
//!
//! A chat of coroutines depends on two things. The lock is not held during a read or a write, because all
//! coroutines of a thread would wait with it. And a client that does not read is removed after two
//! seconds. With `ThreadingTcpServer` instead of `CoroutineTcpServer`, the same program is a chat for
//! about a thousand clients. An argument replaces the address `localhost:6969`.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use common::{address, allow_many_sockets};
use socketserver::prelude::*;

/// Members of the chat, by name.
#[derive(Default)]
struct Chat {
    members: Mutex<BTreeMap<String, Sender>>,
}

impl Chat {
    /// Locks the members. Callers release the lock before they read from or write to a client.
    fn members(&self) -> MutexGuard<'_, BTreeMap<String, Sender>> {
        self.members.lock().unwrap()
    }

    /// Adds a member. Returns `false` if the name is taken.
    fn join(&self, name: &str, client: Sender) -> bool {
        let mut members = self.members();
        let is_free = !members.contains_key(name);
        if is_free {
            members.insert(name.to_owned(), client);
        }
        is_free
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.members().keys().cloned().collect();
        names.join(", ")
    }

    /// Writes to all members except the speaker.
    fn tell_others(&self, speaker: &str, text: &str) {
        // Copies the senders, because the lock must be free before the writes to slow clients.
        let mut others = self.members().clone();
        others.remove(speaker);
        for other in others.values() {
            if other.send_all(text).is_err() {
                other.close(); // The client does not read, or has closed.
            }
        }
    }

    fn close(&self) {
        self.tell_others("", "* the server stops\n");
        self.members().values().for_each(Sender::close);
    }
}

impl Service<TcpRequest> for Chat {
    type Handler = Member;

    fn request_handler(self: &Arc<Self>) -> Member {
        Member {
            chat: Arc::clone(self),
            name: None,
        }
    }
}

struct Member {
    chat: Arc<Chat>,
    /// Set once the client has chosen a name.
    name: Option<String>,
}

impl Member {
    /// Asks for a name until one is free. Returns `None` if the client has closed.
    fn introduce(&mut self, request: &mut TcpRequest) -> Result<Option<String>> {
        request.send_all("your name?\n")?;
        while let Some(line) = request.next_line(100)? {
            let name = String::from_utf8_lossy(&line).trim().to_owned();
            if !name.is_empty() && self.chat.join(&name, request.sender()) {
                self.name = Some(name.clone());
                return Ok(Some(name));
            }
            request.send_all("that name is taken; another one?\n")?;
        }
        Ok(None)
    }
}

impl RequestHandler<TcpRequest> for Member {
    fn setup(&mut self, request: &mut TcpRequest) -> Result {
        // Limits writes only, because a member may stay silent forever.
        let patience = Some(Duration::from_secs(2));
        Ok(request.socket().set_write_timeout(patience)?)
    }

    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let Some(name) = self.introduce(request)? else {
            return Ok(());
        };
        let number = self.chat.members().len();
        let commands = "/who lists them, /quit leaves";
        writeln!(request, "hello {name}, members: {number}; {commands}")?;
        while let Some(line) = request.next_line(1000)? {
            match String::from_utf8_lossy(&line).trim_end() {
                "/quit" => break,
                "/who" => writeln!(request, "{}", self.chat.names())?,
                text => self.chat.tell_others(&name, &format!("{name}: {text}\n")),
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut TcpRequest) -> Result {
        if let Some(name) = &self.name {
            self.chat.members().remove(name);
        }
        Ok(())
    }
}

fn main() -> Result {
    allow_many_sockets();
    let server = CoroutineTcpServer::bind(address("localhost:6969"), Chat::default())?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    server.service().close();
    let handle = server.handle();
    server.server_close();
    let stats = handle.stats();
    println!(
        "served {} clients, {} failed",
        stats.completed, stats.failed
    );
    Ok(())
}
