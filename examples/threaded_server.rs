//! The "Asynchronous Mixins" example of Python's `socketserver` documentation. A server with a thread for
//! each client and its three clients are in one program.
//!
//! ```text
//! $ cargo run --example threaded_server
//! Server loop running in thread: socketserver
//! Received: socketserver-1: Hello World 1
//! Received: socketserver-1: Hello World 2
//! Received: socketserver-1: Hello World 3
//! ```
//!
//! The clients connect one after another, so the thread of the first client can serve the others too: an
//! idle thread waits a moment for the next client. Python starts a new thread each time, and names its
//! threads differently. Python twin: `examples/python/threaded_server.py`.

use std::net::{SocketAddr, TcpStream};
use std::thread;

use socketserver::prelude::*;

struct ThreadedTcpHandler;

impl RequestHandler<TcpRequest> for ThreadedTcpHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let data = String::from_utf8(request.recv(1024)?)?;
        let thread = thread::current();
        write!(request, "{}: {data}", thread.name().unwrap_or("?"))?;
        Ok(())
    }
}

fn client(address: &SocketAddr, message: &str) -> Result {
    let mut server = TcpStream::connect(address)?;
    server.write_all(message.as_bytes())?;
    let mut response = String::new();
    server.read_to_string(&mut response)?;
    println!("Received: {response}");
    Ok(())
}

fn main() -> Result {
    // With port 0 the kernel picks a free port.
    let server = ThreadingTcpServer::bind("localhost:0", || ThreadedTcpHandler)?;

    // `spawn` serves on a thread named "socketserver". This thread starts the clients' threads.
    let server = server.spawn()?;
    println!("Server loop running in thread: socketserver");

    client(server.server_address(), "Hello World 1")?;
    client(server.server_address(), "Hello World 2")?;
    client(server.server_address(), "Hello World 3")?;

    server.stop()?;
    Ok(())
}
