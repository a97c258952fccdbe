//! A handler for UDP, in servers of other requests.
//! expect: `MyHandler` does not handle requests of type `StreamRequest<TcpStream>`
//! expect: but trait `RequestHandler<DatagramRequest<UdpSocket>>` is implemented for it
//! expect: `MyHandler` does not handle requests of type `DatagramRequest<std::os::unix::net::UnixDatagram>`
//! expect: for Unix servers they are `UnixStreamRequest` and `UnixDatagramRequest`
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<UdpRequest> for MyHandler {
    fn handle(&mut self, request: &mut UdpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", || MyHandler)?;
    ThreadingUnixDatagramServer::bind("/run/my.sock", || MyHandler)?;
    Ok(())
}
