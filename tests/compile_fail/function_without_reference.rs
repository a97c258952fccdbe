//! A closure that wants the request itself.
//! expect: handler_fn(|request: &mut TcpRequest|
use socketserver::prelude::*;

fn main() {
    handler_fn(|request: TcpRequest| Ok(request.send_all(b"hello\n")?));
}
