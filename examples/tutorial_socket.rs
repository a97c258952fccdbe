//! What a socket is: the first step of `docs/tutorial.md`, with the standard library alone. Server and
//! client in one program, so that every line can be followed.
//!
//! ```text
//! $ cargo run -q --example tutorial_socket
//! ```
//!
//! The page explains what it prints. Python: `examples/python/tutorial_socket.py`.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

/// Receives what is there, at most `size` bytes of it. Python: `request.recv(size)`.
fn recv(request: &mut TcpStream, size: usize) -> io::Result<String> {
    let mut data = vec![0; size];
    let received = request.read(&mut data)?;
    Ok(String::from_utf8_lossy(&data[..received]).into())
}

fn main() -> io::Result<()> {
    // The server's socket: bound to an address and a port (0: any free one), and listening.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    println!("descriptor {} listens on {address}", listener.as_raw_fd());

    // The client's socket, with a port of its own. Nobody has called accept yet: the kernel connects.
    let mut client = TcpStream::connect(address)?;
    let from = client.local_addr()?;
    println!("descriptor {} connects from {from}", client.as_raw_fd());

    // The third: accept makes a socket for this one client. The listener goes on listening.
    let (mut request, from) = listener.accept()?;
    println!("descriptor {} is to talk to {from}", request.as_raw_fd());

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
