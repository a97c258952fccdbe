//! Sends messages to a UDP echo server, each as one datagram, and prints each answer on a line.
//!
//! Start `echo_server` in one terminal and the client in another:
//!
//! ```text
//! $ cargo run --example udp_echo_client localhost:6969 hello "good bye"
//! hello
//! good bye
//! ```
//!
//! A datagram may get lost, and UDP does not report that to the sender. So the client waits at most five
//! seconds for each answer. Then it prints this line and continues with the next message:
//!
//! ```text
//! no answer within 5s
//! ```
//!
//! Without messages it sends the lines that you type, until Ctrl-D. The first argument is the address if
//! it has a colon. The default is `localhost:6969`.

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

/// Returns a socket that sends to one server and receives from that server only. The server learns of
/// the client with the first datagram, because UDP has no connections.
fn connect(address: &str) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    if socket.connect(address).is_ok() {
        return Ok(socket);
    }
    // The address is an IPv6 address, or it is wrong.
    let socket = UdpSocket::bind("[::]:0")?;
    socket.connect(address)?;
    Ok(socket)
}
