use crate::differential::server::*;

fn fails(request: &mut UdpRequest) -> Result {
    let packet = request.packet().to_vec();
    request.send_all(&packet)?;
    if packet == b"bad" {
        return Err("too bad".into());
    }
    Ok(())
}

pair!(serve(UdpServer::bind(host(), handler_fn(fails))?));
