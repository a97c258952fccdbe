use crate::differential::server::*;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Default)]
struct Doorkeeper {
    clients: AtomicU32,
}

impl Service<TcpRequest> for Doorkeeper {
    type Handler = LineEcho;

    fn request_handler(self: &Arc<Self>) -> LineEcho {
        LineEcho
    }

    fn verify_request(&self, request: &TcpRequest) -> bool {
        println!("verifying {}", request.client_address().to_python());
        self.clients.fetch_add(1, Ordering::Relaxed) != 1
    }
}

pair!(serve(TcpServer::bind(host(), Doorkeeper::default())?));
