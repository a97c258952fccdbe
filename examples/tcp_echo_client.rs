//! Sends messages to a TCP echo server and prints each answer on a line.
//!
//! Start `echo_server` in one terminal and the client in another:
//!
//! ```text
//! $ cargo run --example tcp_echo_client localhost:6969 hello "good bye"
//! hello
//! good bye
//! ```
//!
//! Without messages it sends the lines that you type, until Ctrl-D. The first argument is the address if
//! it has a colon. The default is `localhost:6969`.

mod common;

use std::io::{self, Read, Write};
use std::net::TcpStream;

use socketserver::Result;

fn main() -> Result {
    let (address, words) = common::address_and_words("localhost:6969");
    let mut server = TcpStream::connect(address)?;
    for message in common::messages(words) {
        let message = message?;
        server.write_all(&message)?;
        let mut answer = receive(&mut server, message.len())?;
        answer.push(b'\n');
        io::stdout().write_all(&answer)?;
    }
    Ok(())
}

/// Receives an answer of at least `size` bytes.
///
/// A stream has no message borders: one message may arrive in several pieces. An echo is complete
/// when it is as long as the message.
fn receive(server: &mut TcpStream, size: usize) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut piece = [0; 8192];
    while answer.len() < size {
        match server.read(&mut piece)? {
            0 => return Err("the server has closed the connection".into()),
            received => answer.extend(&piece[..received]),
        }
    }
    Ok(answer)
}
