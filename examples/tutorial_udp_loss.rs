//! Fates of datagrams that are too long, too many, or sent to a port that no program uses
//! (`docs/tutorial`). The program has both sockets, so it needs no second terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_udp_loss
//! send(client, "0123456789", 10) = 10
//! recv(server, "0123", 4) = 4
//! ...
//! ```
//!
//! Python twin: `examples/python/tutorial_udp_loss.py`.

use std::io::{self, ErrorKind};
use std::net::UdpSocket;

use socket2::SockRef;

/// Returns a socket with a port of its own. Its calls do not wait.
fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sends one datagram to the server, and prints the call and its result.
fn send(client: &UdpSocket, text: &str) -> io::Result<()> {
    let sent = client.send(text.as_bytes())?;
    println!("send(client, {text:?}, {}) = {sent}", text.len());
    Ok(())
}

/// Receives one datagram, and prints the call and its result.
fn recv(name: &str, socket: &UdpSocket, size: usize) -> io::Result<()> {
    let mut buffer = vec![0; size];
    match socket.recv(&mut buffer) {
        Ok(received) => {
            let text = String::from_utf8_lossy(&buffer[..received]);
            println!("recv({name}, {text:?}, {size}) = {received}");
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            println!("recv({name}, {size}) = EAGAIN");
        }
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            println!("recv({name}, {size}) = ECONNREFUSED");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let server = bind()?;
    let client = bind()?;
    let address = server.local_addr()?;
    client.connect(address)?;

    // A datagram that is longer than the buffer of `recv`.
    send(&client, "0123456789")?;
    recv("server", &server, 4)?;
    recv("server", &server, 1024)?;

    // More datagrams than the receive buffer of the socket has space for.
    SockRef::from(&server).set_recv_buffer_size(65536)?;
    for number in 0..1000 {
        client.send(format!("{number:01000}").as_bytes())?;
    }
    println!("datagrams sent: 1000");
    let mut numbers = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(size) = server.recv(&mut buffer) {
        let number = String::from_utf8_lossy(&buffer[..size]);
        numbers.push(number.trim_start_matches('0').to_owned());
    }
    let last = numbers.last().cloned().unwrap_or_default();
    println!(
        "datagrams received: {}, the last has number {last}",
        numbers.len()
    );

    // A port that no program uses.
    drop(server);
    send(&client, "hello")?;
    recv("client", &client, 1024)?;

    // A socket that is not connected gets no report.
    let other = bind()?;
    let sent = other.send_to(b"hello", address)?;
    println!("sendto(other, \"hello\", 5) = {sent}");
    recv("other", &other, 1024)?;
    Ok(())
}
