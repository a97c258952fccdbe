use crate::differential::server::*;

struct Picky;

impl Service<UdpRequest> for Picky {
    type Handler = LineEcho;

    fn request_handler(self: &Arc<Self>) -> LineEcho {
        LineEcho
    }

    fn verify_request(&self, request: &UdpRequest) -> bool {
        request.packet() != b"no"
    }
}

pair!(serve(UdpServer::bind(host(), Picky)?));
