//! A function or a closure that handles a request, without `handler_fn`.
//! expect: function is expected to take 0 arguments, but it takes 1 argument
//! expect: closure is expected to take 0 arguments, but it takes 1 argument
//! expect: `|| MyHandler`, `handler_fn(f)`, shared state
use socketserver::prelude::*;

fn hello(request: &mut TcpRequest) -> Result {
    Ok(request.send_all(b"hello\n")?)
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", hello)?;
    TcpServer::bind("127.0.0.1:0", |request: &mut TcpRequest| hello(request))?;
    Ok(())
}
