//! A chat for thousands: each client has a coroutine, which costs a few kilobytes while it waits, and
//! all of them share as many threads as there are processors.
//!
//! In one terminal:
//!
//! ```text
//! $ cargo run --example chat_server
//! listening on 127.0.0.1:6969
//! ```
//!
//! and in as many others as you like:
//!
//! ```text
//! $ nc localhost 6969
//! your name?
//! Ada
//! hello Ada, there are 2 of you; /who tells who, /quit leaves
//! Bob: are you there?
//! yes
//! /who
//! Ada, Bob
//! /quit
//! $
//! ```
//!
//! Ctrl-C tells everybody that this is the end, and ends with
//!
//! ```text
//! served 2 clients, 0 failed
//! ```
//!
//! Another address than `localhost:6969` can be given as an argument. Things to look at, because a chat
//! of coroutines depends on them: the lock is never held while somebody is written to, and a client that
//! does not read is thrown out after two seconds. The same program with `ThreadingTcpServer` in the place
//! of `CoroutineTcpServer` is a chat for a thousand.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use common::{address, allow_many_sockets};
use socketserver::prelude::*;

/// Who is there, by name.
#[derive(Default)]
struct Chat {
    members: Mutex<BTreeMap<String, Sender>>,
}

impl Chat {
    /// Locked; never while somebody is read from or written to.
    fn members(&self) -> MutexGuard<'_, BTreeMap<String, Sender>> {
        self.members.lock().unwrap()
    }

    /// `false`: somebody has this name already.
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

    /// Writes to everybody but one.
    fn tell_others(&self, speaker: &str, text: &str) {
        // Copies, so that the lock is free again before clients, who may be slow, are written to.
        let mut others = self.members().clone();
        others.remove(speaker);
        for other in others.values() {
            if other.send_all(text).is_err() {
                other.close(); // it does not read, or has left
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
    /// Once it is known.
    name: Option<String>,
}

impl Member {
    /// Asks for a name that nobody has. `None`: the client has left.
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
        // For writing alone: whoever has nothing to say may stay for ever.
        let patience = Some(Duration::from_secs(2));
        Ok(request.socket().set_write_timeout(patience)?)
    }

    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let Some(name) = self.introduce(request)? else {
            return Ok(());
        };
        let number = self.chat.members().len();
        let commands = "/who tells who, /quit leaves";
        writeln!(
            request,
            "hello {name}, there are {number} of you; {commands}"
        )?;
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
