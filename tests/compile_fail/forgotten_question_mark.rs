//! A `?` is missing.
//! expect: use the `?` operator to extract the `Vec<u8>` value
//! expect: use the `?` operator to extract the `Server<
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn echo(request: &mut TcpRequest) -> Result {
    let data = request.recv(1024);
    request.send_all(&data.to_ascii_uppercase())?;
    Ok(())
}

fn main() -> Result {
    let server = TcpServer::bind("127.0.0.1:0", || MyHandler);
    server.serve_forever()?;
    Ok(())
}
