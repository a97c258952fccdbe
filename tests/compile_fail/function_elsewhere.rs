//! A function for TCP, in a UDP server.
//! expect: is not a service for requests of type `DatagramRequest<UdpSocket>`
//! expect: goes through `handler_fn(|request: &mut DatagramRequest<UdpSocket>| ...)`
//! expect: expected `StreamRequest<TcpStream>`, found `DatagramRequest<UdpSocket>`
use socketserver::prelude::*;

fn main() -> Result {
    let hello = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hello\n")?));
    UdpServer::bind("127.0.0.1:0", hello)?;
    Ok(())
}
