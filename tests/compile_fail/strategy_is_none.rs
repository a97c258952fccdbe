//! A value that is not a strategy.
//! expect: `{integer}` is not a strategy
//! expect: pass `Sequential`, `Threading::new()`, `ThreadPool::new(8)`, `Forking::new()`
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", || MyHandler)?.strategy(8).serve_forever()?;
    Ok(())
}
