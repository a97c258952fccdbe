//! Shows how sockets work: the first step of `docs/tutorial`, with the standard library alone. Server
//! and client are in one program, so that you can follow each line in order.
//!
//! ```text
//! $ cargo run -q --example tutorial_socket
//! ```
//!
//! The page explains the output. Python twin: `examples/python/tutorial_socket.py`.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Returns the number by which the system knows a socket. Python: `socket.fileno()`.
#[cfg(unix)]
fn fileno(socket: &impl std::os::fd::AsRawFd) -> i32 {
    socket.as_raw_fd()
}

/// Returns this number on Windows, where the trait has another name.
#[cfg(windows)]
fn fileno(socket: &impl std::os::windows::io::AsRawSocket) -> u64 {
    socket.as_raw_socket()
}

/// Receives the bytes that have arrived, at most `size` of them. Python: `request.recv(size)`.
fn recv(request: &mut TcpStream, size: usize) -> io::Result<String> {
    let mut data = vec![0; size];
    let received = request.read(&mut data)?;
    Ok(String::from_utf8_lossy(&data[..received]).into())
}

fn main() -> io::Result<()> {
    // The server's socket. It is bound to an address and a port, and it listens. Port 0 lets the
    // kernel pick a free port.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    println!("descriptor {} listens on {address}", fileno(&listener));

    // The client's socket, with a port of its own. The kernel makes the connection before the server
    // calls accept.
    let mut client = TcpStream::connect(address)?;
    let from = client.local_addr()?;
    println!("descriptor {} connects from {from}", fileno(&client));

    // The third socket: accept makes it for this one client. The listener continues to listen.
    let (mut request, from) = listener.accept()?;
    println!("descriptor {} serves {from}", fileno(&request));

    client.write_all(b"hello")?;
    println!("up to 1024: {}", recv(&mut request, 1024)?);

    client.write_all(b"afternoon")?;
    println!("up to 5: {}", recv(&mut request, 5)?);
    println!("up to 1024: {}", recv(&mut request, 1024)?);

    client.write_all(b"good")?;
    client.write_all(b"bye")?;
    let mut seven = [0; 7];
    request.read_exact(&mut seven)?;
    println!("exactly 7: {}", String::from_utf8_lossy(&seven));

    drop(client);
    println!("after the end: {}", recv(&mut request, 1024)?.len());
    Ok(())
}
