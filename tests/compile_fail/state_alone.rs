//! Shared state that does not implement `Service`.
//! expect: `Counter` is not a service for requests of type `StreamRequest<TcpStream>`
//! expect: shared state becomes a service by `impl<R: Request> Service<R>` for its type
use socketserver::prelude::*;
use std::sync::Arc;

#[derive(Default)]
struct Counter;

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", Counter)?;
    TcpServer::bind("127.0.0.1:0", Arc::new(Counter))?;
    Ok(())
}
