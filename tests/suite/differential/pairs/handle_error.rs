use crate::differential::server::*;

struct Apologies;

impl Service<TcpRequest> for Apologies {
    type Handler = Fails;

    fn request_handler(self: &Arc<Self>) -> Fails {
        Fails
    }

    fn handle_error(&self, request: &mut TcpRequest, error: &HandlerError) {
        let client = request.client_address().to_python();
        println!("{client} said: {}", error.error().unwrap());
        request.send_all(b"sorry\n").unwrap();
    }
}

struct Fails;

impl RequestHandler<TcpRequest> for Fails {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let line = String::from_utf8(request.readline(100)?)?;
        Err(format!("{} yourself", line.trim()).into())
    }
}

pair!(serve(TcpServer::bind(host(), Apologies)?));
