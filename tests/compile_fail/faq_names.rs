//! Names and signatures of Python, in an implementation of a trait: the compiler stops at them.
//! expect: missing generics for trait `socketserver::RequestHandler`
//! expect: method `handle_error` is not a member of trait `RequestHandler`
//! expect: missing generics for type alias `std::io::Result`
use std::io::Result;
use std::sync::Arc;

use socketserver::prelude::*;

struct Hello;

impl RequestHandler for Hello {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all("hello\n")?)
    }
}

impl RequestHandler<UdpRequest> for Hello {
    fn handle(&mut self, request: &mut UdpRequest) -> socketserver::Result {
        Ok(request.send_all("hello\n")?)
    }

    fn handle_error(&self, _: &mut UdpRequest, error: &HandlerError) {
        eprintln!("{error}");
    }
}

fn main() {
    drop(Arc::new(Hello));
}
