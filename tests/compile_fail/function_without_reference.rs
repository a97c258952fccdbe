//! A closure that takes the request by value.
//! expect: handler_fn(|request: &mut TcpRequest|
use socketserver::prelude::*;

fn main() {
    handler_fn(|request: TcpRequest| Ok(request.send_all(b"hello\n")?));
}
