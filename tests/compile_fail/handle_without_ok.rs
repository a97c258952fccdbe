//! The `Ok` is missing: `Ok(())` at the end.
//! expect: implicitly returns `()` as its body has no tail or `return` expression
//! expect: Ok(request.send_all(b"bye\n")?)
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn setup(&mut self, request: &mut TcpRequest) -> Result {
        request.send_all(b"hello\n")?;
    }

    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        request.send_all(b"bye\n")
    }
}

fn main() {
    handler_fn(|request: &mut TcpRequest| {
        request.send_all(b"hello\n").unwrap();
    });
}
