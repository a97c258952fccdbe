//! A request is stored for other clients. Only its `request.sender()` can be stored. (The compiler
//! proposes `close` in place of `clone`, which does not help.)
//! expect: no method named `clone` found for mutable reference `&mut StreamRequest<TcpStream>`
//! expect: expected `StreamRequest<TcpStream>`, found `&mut StreamRequest<TcpStream>`
use socketserver::prelude::*;
use std::sync::Mutex;

static CLIENTS: Mutex<Vec<TcpRequest>> = Mutex::new(Vec::new());

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        CLIENTS.lock().unwrap().push(request.clone());
        CLIENTS.lock().unwrap().push(request);
        Ok(())
    }
}

fn main() {}
