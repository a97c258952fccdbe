//! Sends messages to a UDP echo server, each as one datagram, and prints what comes back, each on
//! a line.
//!
//! With `echo_server` running in another terminal:
//!
//! ```text
//! $ cargo run --example udp_echo_client localhost:6969 hello "good bye"
//! hello
//! good bye
//! ```
//!
//! A datagram may get lost, and nobody tells the sender. So the client does not wait for longer
//! than five seconds, says
//!
//! ```text
//! no answer within 5s
//! ```
//!
//! and goes on with the next message. Without messages it sends the lines that are typed, until
//! Ctrl-D. `localhost:6969` can be left out: the first argument is the address if it has a colon.

mod common;

use std::io::{self, ErrorKind, Write};
use std::net::UdpSocket;
use std::time::Duration;

use socketserver::Result;

const TIMEOUT: Duration = Duration::from_secs(5);

fn main() -> Result {
    let (address, words) = common::address_and_words("localhost:6969");
    let socket = connect(&address)?;
    socket.set_read_timeout(Some(TIMEOUT))?;

    let mut answer = [0; 65536];
    for message in common::messages(words) {
        socket.send(&message?)?;
        match socket.recv(&mut answer) {
            Ok(size) => io::stdout().write_all(&[&answer[..size], b"\n"].concat())?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                println!("no answer within {TIMEOUT:?}");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A socket that talks to one server and hears nobody else. (No connection is made: the server
/// will learn of this with the first datagram.)
fn connect(address: &str) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    if socket.connect(address).is_ok() {
        return Ok(socket);
    }
    // It is an IPv6 address, or a wrong one.
    let socket = UdpSocket::bind("[::]:0")?;
    socket.connect(address)?;
    Ok(socket)
}
