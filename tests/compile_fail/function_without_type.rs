//! A closure without the type of its argument.
//! expect: type annotations needed for `&mut _`
use socketserver::prelude::*;

fn main() {
    handler_fn(|request| Ok(request.send_all(b"hello\n")?));
}
