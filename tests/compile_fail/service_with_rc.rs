//! Shared state that threads cannot share.
//! expect: `RefCell<u32>` cannot be shared between threads safely
//! expect: use `std::sync::RwLock` instead
//! expect: `Rc<String>` cannot be sent between threads safely
use socketserver::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

struct Counter {
    visits: RefCell<u32>,
}

struct Greeting {
    text: Rc<String>,
}

struct Visit;

impl Service<TcpRequest> for Counter {
    type Handler = Visit;
    fn request_handler(self: &Arc<Self>) -> Visit {
        Visit
    }
}

impl Service<TcpRequest> for Greeting {
    type Handler = Visit;
    fn request_handler(self: &Arc<Self>) -> Visit {
        Visit
    }
}

impl RequestHandler<TcpRequest> for Visit {
    fn handle(&mut self, _: &mut TcpRequest) -> Result {
        Ok(())
    }
}

fn main() {}
