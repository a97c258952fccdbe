//! Two clients of the chat room: Bob does not read, and Ada sends many lines (`docs/tutorial`).
//!
//! Start `tutorial_chat_v1` or `tutorial_chat_v2` in one terminal, and this program in another:
//!
//! ```text
//! $ cargo run -q --example tutorial_chat_slow
//! Ada cannot send: the server has not read from her for 3 s
//! ```
//!
//! An argument replaces the address `localhost:6969`. Python twin:
//! `examples/python/tutorial_chat_slow.py`.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use common::address;
use socketserver::Result;

/// Connects, answers the question, and reads the greeting.
fn join(name: &str) -> Result<BufReader<TcpStream>> {
    let mut client = BufReader::new(TcpStream::connect(address("localhost:6969"))?);
    client.read_line(&mut String::new())?;
    writeln!(client.get_mut(), "{name}")?;
    client.read_line(&mut String::new())?;
    Ok(client)
}

fn main() -> Result {
    let mut ada = join("Ada")?;
    let bob = join("Bob")?;
    let mut line = String::new();
    ada.read_line(&mut line)?;
    print!("Ada has received: {line}");

    // 100 MB, which is more than the kernel buffers for both connections.
    let text = "x".repeat(900) + "\n";
    let timeout = Duration::from_secs(3);
    ada.get_ref().set_write_timeout(Some(timeout))?;
    for _ in 0..110_000 {
        // When the timeout expires, `write` fails, or it has written only a part.
        let written = ada.get_mut().write(text.as_bytes()).unwrap_or(0);
        if written < text.len() {
            println!("Ada cannot send: the server has not read from her for 3 s");
            return Ok(());
        }
    }
    println!("Ada has sent all lines");

    ada.get_ref().shutdown(Shutdown::Write)?;
    let mut rest = String::new();
    ada.read_to_string(&mut rest)?;
    print!("Ada has received: {rest}");
    drop(bob);
    Ok(())
}
