use crate::differential::server::*;

struct Clumsy;

impl Service<TcpRequest> for Clumsy {
    type Handler = Fails;

    fn request_handler(self: &Arc<Self>) -> Fails {
        Fails
    }

    fn handle_error(&self, _: &mut TcpRequest, _: &HandlerError) {
        panic!("in handle_error")
    }
}

struct Fails;

impl RequestHandler<TcpRequest> for Fails {
    fn handle(&mut self, _: &mut TcpRequest) -> Result {
        Err("in handle".into())
    }
}

fn main() -> Result {
    std::panic::set_hook(Box::new(|_| {}));
    let server = TcpServer::bind(host(), Clumsy)?;
    announce(&server);
    server.handle_request()?;
    println!("served");
    Ok(())
}

pair!(main());
