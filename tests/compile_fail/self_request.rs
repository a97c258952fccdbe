//! A handler in the style of Python.
//! expect: method `handle` has 1 parameter but the declaration in trait `handle` has 2
//! expect: no field `request` on type `&mut MyHandler`
//! expect: no field `rfile` on type `&mut MyHandler`
//! expect: use parentheses to call the method
//! expect: there is a method `send_all` with a similar name
//! expect: there is a method `set_timeout` with a similar name
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self) -> Result {
        let data = self.request.recv(1024)?;
        let line = self.rfile.readline(1024)?;
        Ok(())
    }

    fn finish(&mut self, request: &mut TcpRequest) -> Result {
        println!("{}", request.client_address);
        request.sendall(b"hello")?;
        request.settimeout(None)?;
        Ok(())
    }
}

fn main() {}
