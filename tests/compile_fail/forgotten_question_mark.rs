//! A `?` is missing.
//! expect: use the `?` operator to extract the `Vec<u8>` value
//! expect: use the `?` operator to extract the `Server<
//! expect: no method named `serve_forever` found for enum `std::result::Result<T, E>`
//! expect: the trait bound `std::result::Result<Vec<u8>, std::io::Error>: AsRef<[u8]>` is not satisfied
//! expect: expected `Result<Option<Vec<u8>>, Error>`, found `Option<_>`
//! expect: the `?` operator can only be used in a function that returns `Result` or `Option`
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
    let line = request.readline(1024);
    request.send_all(line)?;
    while let Some(line) = request.next_line(1024) {
        request.send_all(&line)?;
    }
    Ok(())
}

fn main() -> Result {
    let server = TcpServer::bind("127.0.0.1:0", || MyHandler);
    server.serve_forever()?;
    Ok(())
}

fn serve() {
    TcpServer::bind("127.0.0.1:0", || MyHandler)?;
}
