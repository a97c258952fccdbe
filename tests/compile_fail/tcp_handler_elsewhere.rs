//! A handler for TCP, in servers of other requests.
//! expect: `MyHandler` does not handle requests of type `DatagramRequest<UdpSocket>`
//! expect: implement `RequestHandler<DatagramRequest<UdpSocket>>` for it
//! expect: `DatagramRequest<UdpSocket>` is `UdpRequest`
//! expect: `impl<R: Request> RequestHandler<R>`, with `request: &mut R`
//! expect: `MyHandler` does not handle requests of type `StreamRequest<std::os::unix::net::UnixStream>`
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn main() -> Result {
    UdpServer::bind("127.0.0.1:0", || MyHandler)?;
    UnixStreamServer::bind("/run/my.sock", || MyHandler)?;
    Ok(())
}
