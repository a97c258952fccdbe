//! Shared state that is changed without a lock.
//! expect: cannot assign to data in an `Arc`
use socketserver::prelude::*;
use std::sync::Arc;

struct Counter {
    visits: u32,
}

struct Visit {
    server: Arc<Counter>,
}

impl RequestHandler<TcpRequest> for Visit {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        self.server.visits += 1;
        Ok(writeln!(request, "{}", self.server.visits)?)
    }
}

fn main() {}
