//! A request is moved to a thread that outlives it. Only its `request.sender()` can be moved.
//! expect: `request` is a reference that is only valid in the method body
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        std::thread::spawn(move || request.send_all(b"later\n"));
        Ok(())
    }
}

fn main() {}
