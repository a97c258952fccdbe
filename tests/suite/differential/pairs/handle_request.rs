use crate::differential::server::*;

struct Waiting;

impl Service<TcpRequest> for Waiting {
    type Handler = LineEcho;

    fn request_handler(self: &Arc<Self>) -> LineEcho {
        LineEcho
    }

    fn handle_timeout(&self) {
        println!("nobody came");
    }
}

fn main() -> Result {
    let server = TcpServer::bind(host(), Waiting)?;
    announce(&server);
    for number in 0..2 {
        server.handle_request()?;
        println!("request {number}");
    }
    let server = server.handle_request_timeout(Duration::from_millis(100));
    server.handle_request()?;
    println!("done");
    Ok(())
}

pair!(main());
