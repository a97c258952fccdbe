use crate::differential::server::*;

struct Lines;

impl RequestHandler<TcpRequest> for Lines {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        echo_lines(request)
    }

    fn finish(&mut self, _: &mut TcpRequest) -> Result {
        Err("no end".into())
    }
}

pair!(serve(TcpServer::bind(host(), || Lines)?));
