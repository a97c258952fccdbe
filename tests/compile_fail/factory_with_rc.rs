//! A closure that captures a value which only one thread may use.
//! expect: fit for threads: no `Rc`
//! expect: `Rc<RefCell<u32>>` cannot be sent between threads safely
//! expect: `Cell<u32>` cannot be shared between threads safely
//! expect: use `std::sync::RwLock` or `std::sync::atomic::AtomicU32` instead
use socketserver::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

struct MyHandler(Rc<RefCell<u32>>, u32);

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(writeln!(request, "{} {}", self.0.borrow(), self.1)?)
    }
}

fn main() -> Result {
    let visits = Rc::default();
    TcpServer::bind("127.0.0.1:0", move || MyHandler(Rc::clone(&visits), 0))?;

    let visits = Cell::new(0);
    TcpServer::bind("127.0.0.1:0", move || MyHandler(Rc::default(), visits.replace(1)))?;
    Ok(())
}
