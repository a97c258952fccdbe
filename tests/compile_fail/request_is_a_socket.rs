//! A handler for the bare socket, as in Python.
//! expect: `TcpStream` is not a request
//! expect: a handler gets a `TcpRequest`, `UdpRequest`, `UnixStreamRequest` or `UnixDatagramRequest`
//! expect: the bare socket is its `socket()`
use socketserver::prelude::*;
use std::net::TcpStream;

struct MyHandler;

impl RequestHandler<TcpStream> for MyHandler {
    fn handle(&mut self, request: &mut TcpStream) -> Result {
        Ok(request.write_all(b"hello\n")?)
    }
}

fn main() {}
