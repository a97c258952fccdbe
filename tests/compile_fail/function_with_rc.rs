//! A function that captures a value which only one thread may use.
//! expect: `Rc<Cell<i32>>` cannot be sent between threads safely
//! expect: many threads call it: `Arc`, not `Rc`; `Mutex`, not `RefCell` or `Cell`
use socketserver::prelude::*;
use std::cell::Cell;
use std::rc::Rc;

fn main() {
    let visits = Rc::new(Cell::new(0));
    handler_fn(move |request: &mut TcpRequest| {
        visits.set(visits.get() + 1);
        Ok(writeln!(request, "{}", visits.get())?)
    });
}
