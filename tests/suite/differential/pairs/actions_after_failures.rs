use crate::differential::server::*;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

#[derive(Default)]
struct Counting {
    clients: AtomicU32,
    news: AtomicBool,
}

impl Service<TcpRequest> for Counting {
    type Handler = Fails;

    fn request_handler(self: &Arc<Self>) -> Fails {
        Fails
    }

    fn verify_request(&self, _: &TcpRequest) -> bool {
        let clients = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
        self.news.store(true, Ordering::Relaxed);
        println!("client {clients}");
        clients == 1
    }

    fn service_actions(&self) {
        if self.news.swap(false, Ordering::Relaxed) {
            println!("after it");
        }
    }
}

struct Fails;

impl RequestHandler<TcpRequest> for Fails {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let line = String::from_utf8(request.readline(100)?)?;
        Err(line.trim().into())
    }
}

pair!(serve(TcpServer::bind(host(), Counting::default())?));
