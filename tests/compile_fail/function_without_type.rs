//! A closure whose argument's type is not written out.
//! expect: type annotations needed for `&mut _`
use socketserver::prelude::*;

fn main() {
    handler_fn(|request| Ok(request.send_all(b"hello\n")?));
}
