//! The name of the class, which has fields. What the compiler proposes leads to `handler_value.rs`.
//! expect: use struct literal syntax instead: `MyHandler { name: val }`
use socketserver::prelude::*;

struct MyHandler {
    name: String,
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", MyHandler)?;
    Ok(())
}
