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
//! hello Ada, members of hall: 2; /who lists them, /join ROOM, /quit
//! Bob: are you there?
//! yes
//! /who
//! Ada, Bob
//! /join garden
//! members of garden: 1
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
//! coroutines of a thread would wait with it. And a client that does not read is disconnected after two
//! seconds. With `ThreadingTcpServer` instead of `CoroutineTcpServer`, the same program is a chat for
//! about a thousand clients. An argument replaces the address `localhost:6969`.

mod common;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::{address, allow_many_sockets, serve_until_ctrl_c};
use socketserver::prelude::*;

/// Room of a member that has joined no other.
const FIRST_ROOM: &str = "hall";
/// Time in which a member has to take what others write.
const PATIENCE: Duration = Duration::from_secs(2);

struct Member {
    client: Sender,
    room: String,
}

/// Members of the chat, by name.
#[derive(Default)]
struct Chat(Mutex<BTreeMap<String, Member>>);

impl Chat {
    /// Locks the members. Callers release the lock before they read from or write to a client.
    fn members(&self) -> MutexGuard<'_, BTreeMap<String, Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a member. Returns `false` if the name is taken.
    fn add(&self, name: &str, client: Sender) -> bool {
        let room = FIRST_ROOM.into();
        match self.members().entry(name.into()) {
            Entry::Vacant(entry) => entry.insert(Member { client, room }),
            Entry::Occupied(_) => return false,
        };
        true
    }

    /// Moves a member to a room, and returns the names of the members there.
    fn join(&self, name: &str, room: &str) -> Vec<String> {
        if let Some(member) = self.members().get_mut(name) {
            member.room = room.into();
        }
        self.names(room)
    }

    fn names(&self, room: &str) -> Vec<String> {
        let members = self.members();
        let there = members.iter().filter(|(_, member)| member.room == room);
        there.map(|(name, _)| name.clone()).collect()
    }

    /// Writes to all members of a room except the speaker.
    fn tell_others(&self, speaker: &str, room: &str, text: &str) {
        let is_told = |name: &str, member: &Member| member.room == room && name != speaker;
        // Copies the senders, because the lock must be free before the writes to slow clients.
        let members = self.members();
        let others = members.iter().filter(|(name, other)| is_told(name, other));
        let others: Vec<_> = others.map(|(_, other)| other.client.clone()).collect();
        drop(members);
        for other in others {
            if other.send_all(text).is_err() {
                other.close(); // The client does not read, or has closed.
            }
        }
    }
}

struct Conversation {
    chat: Arc<Chat>,
    /// Set once the client has chosen a name.
    name: Option<String>,
}

impl Service<TcpRequest> for Chat {
    type Handler = Conversation;

    fn request_handler(self: &Arc<Self>) -> Conversation {
        let chat = Arc::clone(self);
        Conversation { chat, name: None }
    }
}

/// Reads a line without the spaces around it. Replaces what is not UTF-8.
fn read_text(request: &mut TcpRequest) -> Result<Option<String>> {
    let line = request.next_line(1000)?;
    Ok(line.map(|line| String::from_utf8_lossy(&line).trim().to_owned()))
}

impl RequestHandler<TcpRequest> for Conversation {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let (chat, mut room) = (&self.chat, FIRST_ROOM.to_owned());
        request.send_all("your name?\n")?;
        let name = loop {
            let Some(name) = read_text(request)? else {
                return Ok(());
            };
            if !name.is_empty() && chat.add(&name, request.sender()) {
                break self.name.insert(name);
            }
            request.send_all("that name is taken; another one?\n")?;
        };
        let number = chat.names(&room).len();
        let commands = "/who lists them, /join ROOM, /quit";
        writeln!(
            request,
            "hello {name}, members of {room}: {number}; {commands}"
        )?;
        while let Some(text) = read_text(request)? {
            match text.split_once(' ').unwrap_or((&text, "")) {
                ("/quit", "") => break,
                ("/who", "") => writeln!(request, "{}", chat.names(&room).join(", "))?,
                ("/join", new) => {
                    room = new.to_owned();
                    let number = chat.join(name, &room).len();
                    writeln!(request, "members of {room}: {number}")?;
                }
                _ => chat.tell_others(name, &room, &format!("{name}: {text}\n")),
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
    let server = CoroutineTcpServer::options()
        .write_timeout(PATIENCE)
        .bind(address("localhost:6969"), Chat::default())?;
    serve_until_ctrl_c(&server)?;
    let handle = server.handle();
    for (client, _) in handle.broadcast("* the server stops\n", PATIENCE) {
        client.close();
    }
    server.server_close();
    let stats = handle.stats();
    println!(
        "served {} clients, {} failed",
        stats.completed, stats.failed
    );
    Ok(())
}
