use crate::differential::server::*;
use std::net::SocketAddr;
use std::sync::Mutex;

#[derive(Default)]
struct GuestBook {
    visits: Mutex<Vec<SocketAddr>>,
}

impl Service<TcpRequest> for GuestBook {
    type Handler = Visit;

    fn request_handler(self: &Arc<Self>) -> Visit {
        Visit(Arc::clone(self))
    }
}

struct Visit(Arc<GuestBook>);

impl RequestHandler<TcpRequest> for Visit {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let mut visits = self.0.visits.lock().unwrap();
        visits.push(*request.client_address());
        Ok(writeln!(request, "visit {}", visits.len())?)
    }
}

fn main() -> Result {
    let book = Arc::new(GuestBook::default());
    serve(TcpServer::bind(host(), Arc::clone(&book))?.strategy(forking()))?;
    println!("{:?}", book.visits.lock().unwrap());
    Ok(())
}

pair!(main());
