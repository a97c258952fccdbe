//! State that is borrowed: `move` it into the closure, an `Arc` of it if it is needed elsewhere too.
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
