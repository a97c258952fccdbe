//! Borrowed state: `move` it into the closure, or an `Arc` of it if other code needs it too.
//! expect: closure may outlive the current function, but it borrows `names`
//! expect: use the `move` keyword
use socketserver::prelude::*;
use std::sync::Mutex;

fn main() {
    let names = Mutex::new(Vec::new());
    handler_fn(|request: &mut TcpRequest| {
        names.lock().unwrap().push(request.readline(100)?);
        Ok(())
    });
}
