//! `handle` returns nothing: `-> Result`, and `Ok(())` at the end.
//! expect: method `handle` has an incompatible type for trait
//! expect: change the output type to match the trait
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) {
        request.send_all(b"hello\n").unwrap();
    }
}

fn main() {}
