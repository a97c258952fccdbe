//! An address of the wrong type for this server, or with an invalid port.
//! expect: a `socketserver::transport::UnixStream` server cannot be bound to a `(&str, {integer})`
//! expect: a Unix server is bound to a path: `"/run/my.sock"`
//! expect: a `Tcp` server cannot be bound to a `&std::path::Path`
//! expect: a `Udp` server cannot be bound to a `{integer}`
//! expect: a TCP or UDP server is bound to `"127.0.0.1:9999"` or `("127.0.0.1", 9999)`, the port being a `u16`
//! expect: a `Tcp` server cannot be bound to a `(&str, i32)`
//! expect: a `Tcp` server cannot be bound to a `TcpListener`
//! expect: a `Tcp` server cannot be bound to a `[&std::path::Path; 1]`
//! expect: several addresses of one kind are an array, a slice or a `Vec`; `bind_all` takes any iterator
//! expect: a socket that is open already goes to `from_listener`
use socketserver::prelude::*;
use std::net::TcpListener;
use std::path::Path;

struct MyHandler;

impl<R: Request> RequestHandler<R> for MyHandler {
    fn handle(&mut self, request: &mut R) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn main() -> Result {
    UnixStreamServer::bind(("localhost", 9999), || MyHandler)?;
    TcpServer::bind(Path::new("/run/my.sock"), || MyHandler)?;
    UdpServer::bind(9999, || MyHandler)?;
    TcpServer::bind(("localhost", 9999_i32), || MyHandler)?;
    TcpServer::bind(TcpListener::bind("127.0.0.1:0")?, || MyHandler)?;
    TcpServer::bind([Path::new("/run/my.sock")], || MyHandler)?;
    Ok(())
}
