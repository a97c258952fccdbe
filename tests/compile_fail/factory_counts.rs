//! A closure that changes a captured variable.
//! expect: such a closure cannot change what it captures
//! expect: count with an atomic, collect in a `Mutex`
use socketserver::prelude::*;

struct MyHandler {
    number: u32,
}

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(writeln!(request, "{}", self.number)?)
    }
}

fn main() -> Result {
    let mut visits = 0;
    let service = move || {
        visits += 1;
        MyHandler { number: visits }
    };
    TcpServer::bind("127.0.0.1:0", service)?;
    Ok(())
}
