//! Sends messages to a TCP echo server and prints what comes back, each on a line.
//!
//! With `echo_server` running in another terminal:
//!
//! ```text
//! $ cargo run --example tcp_echo_client localhost:6969 hello "good bye"
//! hello
//! good bye
//! ```
//!
//! Without messages it sends the lines that are typed, until Ctrl-D. `localhost:6969` can be left
//! out: the first argument is the address if it has a colon.

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
/// A stream has no message borders: what was sent in one piece may come in several. An echo is
/// complete when it is as long as the message.
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
