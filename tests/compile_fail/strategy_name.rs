//! The name of a strategy, without `new`.
//! expect: expected value, found struct `ThreadPool`
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", || MyHandler)?.strategy(ThreadPool);
    Ok(())
}
