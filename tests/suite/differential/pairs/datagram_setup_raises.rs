use crate::differential::server::*;

struct Fails;

impl RequestHandler<UdpRequest> for Fails {
    fn setup(&mut self, request: &mut UdpRequest) -> Result {
        match request.packet() {
            b"setup" => Err("not set up".into()),
            _ => Ok(()),
        }
    }

    fn handle(&mut self, request: &mut UdpRequest) -> Result {
        let packet = request.packet().to_vec();
        Ok(request.send_all(&packet)?)
    }

    fn finish(&mut self, request: &mut UdpRequest) -> Result {
        match request.packet() {
            b"finish" => Err("not finished".into()),
            _ => Ok(()),
        }
    }
}

pair!(serve(UdpServer::bind(host(), || Fails)?));
