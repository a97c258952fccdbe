use crate::differential::server::*;

fn quiet(request: &mut UdpRequest) -> Result {
    if request.packet() != b"psst" {
        let packet = request.packet().to_vec();
        request.send_all(&packet)?;
    }
    Ok(())
}

pair!(serve(UdpServer::bind(host(), handler_fn(quiet))?));
