//! A UDP socket for a TCP server.
//! expect: expected `TcpListener`, found `UdpSocket`
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn serve(socket: std::net::UdpSocket) -> Result {
    TcpServer::from_listener(socket, || MyHandler)?.serve_forever()?;
    Ok(())
}

fn main() {}
