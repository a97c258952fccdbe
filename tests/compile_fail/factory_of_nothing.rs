//! The code of `handle` in place of the closure that creates a handler.
//! expect: `()` does not handle requests of type `StreamRequest<TcpStream>`
//! expect: one that talks to the client is `handler_fn(|request: &mut StreamRequest<TcpStream>| ...)`
use socketserver::prelude::*;

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", || println!("hello"))?;
    Ok(())
}
