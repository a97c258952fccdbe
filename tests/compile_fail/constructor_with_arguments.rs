//! A function that creates a handler but needs an argument: `move || MyHandler::new(&name)`.
//! expect: expected function that takes 0 arguments
//! expect: `|| MyHandler`, `handler_fn(f)`, shared state
use socketserver::prelude::*;

struct MyHandler {
    name: String,
}

impl MyHandler {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }
}

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(self.name.as_bytes())?)
    }
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", MyHandler::new)?;
    Ok(())
}
