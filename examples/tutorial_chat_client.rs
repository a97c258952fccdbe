//! A client of the chat room: sends the lines that you type, and prints what arrives (`docs/tutorial`).
//!
//! Start `tutorial_chat_v1` in one terminal, and the client in several others:
//!
//! ```text
//! $ cargo run -q --example tutorial_chat_client
//! your name?
//! Ada
//! hello Ada
//! * Bob joins
//! ```
//!
//! Ctrl-D ends the client. An argument replaces the address `localhost:6969`. Python twin:
//! `examples/python/tutorial_chat_client.py`.

mod common;

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use common::address;
use socketserver::Result;

/// Sends the typed lines, until Ctrl-D.
fn send_lines(mut server: TcpStream) -> io::Result<()> {
    for line in io::stdin().lines() {
        writeln!(server, "{}", line?)?;
    }
    server.shutdown(Shutdown::Write)
}

fn main() -> Result {
    let mut server = TcpStream::connect(address("localhost:6969"))?;
    let sending = server.try_clone()?;
    thread::spawn(|| send_lines(sending));
    // Ends when the server closes the connection. The end of `main` ends the other thread too.
    io::copy(&mut server, &mut io::stdout())?;
    Ok(())
}
