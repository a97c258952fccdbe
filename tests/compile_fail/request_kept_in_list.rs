//! A request is kept for other clients: `request.sender()` can be. (`close`, which the compiler
//! proposes for the clone, is not it.)
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
