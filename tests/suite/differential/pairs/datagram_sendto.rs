use crate::differential::server::*;

fn forward(request: &mut UdpRequest) -> Result {
    let other = std::str::from_utf8(request.packet())?.parse()?;
    request.send_to(b"hello", &other)?;
    request.send_to(b"one", request.client_address())?;
    Ok(request.send_to(b"", request.client_address())?)
}

pair!(serve(UdpServer::bind(host(), handler_fn(forward))?));
