use crate::differential::server::*;
use std::sync::atomic::{AtomicU32, Ordering};

fn main() -> Result {
    let visits = AtomicU32::new(0);
    let visit = handler_fn(move |request: &mut TcpRequest| {
        let number = visits.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(writeln!(request, "visit {number}")?)
    });
    serve(TcpServer::bind(host(), visit)?)
}

pair!(main());
