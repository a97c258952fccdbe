//! The name of a handler type that has fields. The compiler's proposal leads to `handler_value.rs`.
//! expect: use struct literal syntax instead: `MyHandler { name: val }`
use socketserver::prelude::*;

struct MyHandler {
    name: String,
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", MyHandler)?;
    Ok(())
}
