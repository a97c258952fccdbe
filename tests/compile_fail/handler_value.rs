//! A handler value in place of the closure that creates it. Python expects the handler's class there.
//! expect: `MyHandler` is not a service for requests of type `StreamRequest<TcpStream>`
//! expect: a server takes what *makes* handlers, as Python takes the handler's class: pass `|| MyHandler`
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", MyHandler)?;
    Ok(())
}
